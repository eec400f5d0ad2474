//! C_DecryptInit, C_Decrypt, C_DecryptUpdate, C_DecryptFinal (PKCS#11 v3.0 §5.10).
//!
//! **Invariant**: a decryption is one request to the service: parts are gathered, and what comes of them is given by
//! C_DecryptFinal, so that nothing leaves before it was authenticated.
//!
//! **Not here**: lengths and parameters (`cipher`).

use super::{
    bytes::GatheredBytes,
    cipher::{Sealing, suits},
    encrypt::cipher,
    keys,
    stage::Turn,
};
use crate::{
    mechanism::Mechanism,
    module::{Module, Session},
    objects::Key,
    output::{Output, Room},
    remote::{Doing, Remote},
    rv::{Result, Rv},
};
use chancery_api::v1::{self, Purpose};
use chancery_client::request_id;
use cryptoki_sys::{CK_OBJECT_HANDLE, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_FUNCTION_FAILED};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A decryption under way.
pub(super) struct Decrypting {
    key: Arc<Key>,
    sealing: Sealing,
    data: GatheredBytes,
}

/// C_DecryptInit.
///
/// # Errors
/// As PKCS#11 v3.0 §5.10.1.
pub fn decrypt_init(module: &Module, session: &Session, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> Result<()> {
    session.operations().decrypt.idle()?;
    let cipher = cipher(module, session, mechanism)?;
    let key = keys::held(module, session, key, |algorithm| suits(cipher, algorithm), Purpose::Encrypt)?;
    let sealing = Sealing::new(cipher, mechanism, keys::algorithm(&key)?)?;
    session.operations().decrypt.begin(Decrypting { key, sealing, data: GatheredBytes::default() })
}

/// C_Decrypt.
///
/// # Errors
/// As PKCS#11 v3.0 §5.10.2.
pub fn decrypt(module: &Module, session: &Session, data: &[u8], room: Room) -> Result<Output> {
    let needed = |decrypting: &Decrypting| room.lacks(decrypting.sealing.plaintext_length(data.len()));
    let turn = session.operations().decrypt.whole(needed)?;
    match turn {
        Turn::Needs(length) => Ok(Output::Needs(length)),
        Turn::Go(mut decrypting) => {
            decrypting.add(data)?;
            decrypting.finish(&module.remote).map(Output::Bytes)
        }
    }
}

/// C_DecryptUpdate: gives nothing yet.
///
/// # Errors
/// As PKCS#11 v3.0 §5.10.3.
pub fn decrypt_update(_: &Module, session: &Session, part: &[u8], room: Room) -> Result<Output> {
    let part = if room == Room::Ask { &[] } else { part };
    session.operations().decrypt.part(|decrypting| decrypting.add(part))?;
    Ok(if room == Room::Ask { Output::Needs(0) } else { Output::from(Vec::new()) })
}

/// C_DecryptFinal.
///
/// # Errors
/// As PKCS#11 v3.0 §5.10.4.
pub fn decrypt_final(module: &Module, session: &Session, room: Room) -> Result<Output> {
    let needed = |decrypting: &Decrypting| room.lacks(decrypting.sealing.plaintext_length(decrypting.data.len()));
    let turn = session.operations().decrypt.last(needed)?;
    match turn {
        Turn::Needs(length) => Ok(Output::Needs(length)),
        Turn::Go(decrypting) => decrypting.finish(&module.remote).map(Output::Bytes),
    }
}

impl Decrypting {
    fn add(&mut self, part: &[u8]) -> Result<()> {
        self.data.add(part).map_err(|_| Rv(CKR_ENCRYPTED_DATA_LEN_RANGE))
    }

    fn finish(self, remote: &Remote) -> Result<Zeroizing<Vec<u8>>> {
        let ciphertext = self.data.finish().to_vec();
        if !self.sealing.takes_ciphertext(ciphertext.len()) {
            return Err(Rv(CKR_ENCRYPTED_DATA_LEN_RANGE));
        }
        let longest = self.sealing.plaintext_length(ciphertext.len());
        let plaintext = ask(remote, &self.key, self.sealing, ciphertext)?;
        if plaintext.len() <= longest { Ok(plaintext) } else { Err(Rv(CKR_FUNCTION_FAILED)) }
    }
}

fn ask(remote: &Remote, key: &Key, sealing: Sealing, ciphertext: Vec<u8>) -> Result<Zeroizing<Vec<u8>>> {
    let request = v1::DecryptRequest {
        name: key.object.version.clone(),
        ciphertext,
        mode: sealing.mode().into(),
        oaep_hash: sealing.oaep_hash().into(),
        iv: sealing.iv,
        associated_data: sealing.associated,
        request_id: request_id(),
    };
    let answer = remote.call(move |client, attempt| {
        let request = attempt.request(request.clone());
        async move { client.crypto().decrypt(request).await }
    });
    answer.map(|answer| Zeroizing::new(answer.plaintext)).map_err(|failure| failure.rv(Doing::Decrypting))
}
