//! C_EncryptInit, C_Encrypt, C_EncryptUpdate, C_EncryptFinal (PKCS#11 v3.0 §5.8).
//!
//! **Invariant**: public keys encrypt here, secret keys at the service, in one request: parts are gathered, and what comes
//! of them is given by C_EncryptFinal.
//!
//! **Not here**: lengths and parameters (`cipher`).

use super::{
    bytes::GatheredBytes,
    cipher::{Sealing, suits},
    keys::{self, Public},
    stage::Turn,
    table::{Cipher, Does, row_of},
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
use chancery_crypto::{PublicKey, encrypt_oaep, encrypt_to, sm2_ciphertext_from};
use cryptoki_sys::{CK_OBJECT_HANDLE, CKR_DATA_LEN_RANGE, CKR_FUNCTION_FAILED, CKR_MECHANISM_INVALID};
use std::sync::Arc;
use zeroize::Zeroizing;

/// An encryption under way.
pub(super) struct Encrypting {
    encryptor: Encryptor,
    sealing: Sealing,
    data: GatheredBytes,
}

enum Encryptor {
    /// Here.
    Public(Public),
    /// The service.
    Secret(Arc<Key>),
}

/// How a slot encrypts with a mechanism.
pub(super) fn cipher(module: &Module, session: &Session, mechanism: &Mechanism) -> Result<Cipher> {
    match row_of(keys::slot(module, session)?, mechanism.kind)?.does {
        Does::Encrypt(cipher) => Ok(cipher),
        _ => Err(Rv(CKR_MECHANISM_INVALID)),
    }
}

/// C_EncryptInit.
///
/// # Errors
/// As PKCS#11 v3.0 §5.8.1.
pub fn encrypt_init(module: &Module, session: &Session, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> Result<()> {
    session.operations().encrypt.idle()?;
    let cipher = cipher(module, session, mechanism)?;
    let fits = |algorithm| suits(cipher, algorithm);
    let (encryptor, algorithm) = if Sealing::is_public(cipher) {
        let public = keys::public(module, session, key, fits, &[Purpose::Encrypt])?;
        let algorithm = public.key()?.algorithm();
        (Encryptor::Public(public), algorithm)
    } else {
        let key = keys::held(module, session, key, fits, Purpose::Encrypt)?;
        let algorithm = keys::algorithm(&key)?;
        (Encryptor::Secret(key), algorithm)
    };
    let sealing = Sealing::new(cipher, mechanism, algorithm)?;
    session.operations().encrypt.begin(Encrypting { encryptor, sealing, data: GatheredBytes::default() })
}

/// C_Encrypt.
///
/// # Errors
/// As PKCS#11 v3.0 §5.8.2.
pub fn encrypt(module: &Module, session: &Session, data: &[u8], room: Room) -> Result<Output> {
    let needed = |encrypting: &Encrypting| room.lacks(encrypting.sealing.ciphertext_length(data.len()));
    let turn = session.operations().encrypt.whole(needed)?;
    match turn {
        Turn::Needs(length) => Ok(Output::Needs(length)),
        Turn::Go(mut encrypting) => {
            encrypting.data.add(data)?;
            encrypting.finish(&module.remote).map(Output::from)
        }
    }
}

/// C_EncryptUpdate: gives nothing yet.
///
/// # Errors
/// As PKCS#11 v3.0 §5.8.3.
pub fn encrypt_update(_: &Module, session: &Session, part: &[u8], room: Room) -> Result<Output> {
    let part = if room == Room::Ask { &[] } else { part };
    session.operations().encrypt.part(|encrypting| encrypting.data.add(part))?;
    Ok(if room == Room::Ask { Output::Needs(0) } else { Output::from(Vec::new()) })
}

/// C_EncryptFinal.
///
/// # Errors
/// As PKCS#11 v3.0 §5.8.4.
pub fn encrypt_final(module: &Module, session: &Session, room: Room) -> Result<Output> {
    let needed = |encrypting: &Encrypting| room.lacks(encrypting.sealing.ciphertext_length(encrypting.data.len()));
    let turn = session.operations().encrypt.last(needed)?;
    match turn {
        Turn::Needs(length) => Ok(Output::Needs(length)),
        Turn::Go(encrypting) => encrypting.finish(&module.remote).map(Output::from),
    }
}

impl Encrypting {
    fn finish(self, remote: &Remote) -> Result<Vec<u8>> {
        let plaintext = self.data.finish();
        if !self.sealing.takes_plaintext(plaintext.len()) {
            return Err(Rv(CKR_DATA_LEN_RANGE));
        }
        let longest = self.sealing.ciphertext_length(plaintext.len());
        let ciphertext = match self.encryptor {
            Encryptor::Public(public) => seal(&self.sealing, public.key()?, &plaintext)?,
            Encryptor::Secret(key) => ask(remote, &key, self.sealing, plaintext)?,
        };
        if ciphertext.len() <= longest { Ok(ciphertext) } else { Err(Rv(CKR_FUNCTION_FAILED)) }
    }
}

/// With the public key.
fn seal(sealing: &Sealing, key: &PublicKey, plaintext: &[u8]) -> Result<Vec<u8>> {
    let failed = |_| Rv(CKR_FUNCTION_FAILED);
    if let Some(hash) = sealing.hash {
        return encrypt_oaep(key, hash, plaintext, &sealing.associated).map_err(failed);
    }
    let der = encrypt_to(key, plaintext, &[]).map_err(failed)?;
    if sealing.is_joined() { sm2_ciphertext_from(&der).map_err(|_| Rv(CKR_FUNCTION_FAILED)) } else { Ok(der) }
}

/// With a secret key.
fn ask(remote: &Remote, key: &Key, sealing: Sealing, plaintext: Zeroizing<Vec<u8>>) -> Result<Vec<u8>> {
    let request = v1::EncryptRequest {
        name: key.object.version.clone(),
        plaintext: Vec::new(),
        mode: sealing.mode().into(),
        oaep_hash: sealing.oaep_hash().into(),
        iv: sealing.iv,
        associated_data: sealing.associated,
        request_id: request_id(),
    };
    let answer = remote.call(move |client, attempt| {
        let request = attempt.request(v1::EncryptRequest { plaintext: plaintext.to_vec(), ..request.clone() });
        async move { client.crypto().encrypt(request).await }
    });
    answer.map(|answer| answer.ciphertext).map_err(|failure| failure.rv(Doing::Using))
}
