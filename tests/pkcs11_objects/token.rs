//! A process with the module, logged in on the organization's token.

use crate::harness::Deployment;
use chancery_pkcs11::{
    attribute::{Attribute, Template},
    mechanism::{Mechanism, Parameter},
    module::{Module, Session, config::Config},
    objects::{Objects, Value},
    operations,
    output::{Output, Room},
    rv::{Result, Rv},
};
use cryptoki_sys::*;
use std::sync::Arc;

/// The name of P-256 (RFC 5480), DER.
pub(crate) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const YES: &[u8] = &[1];
pub(crate) const NO: &[u8] = &[0];
pub(crate) const PRIVATE: &[u8] = &CKO_PRIVATE_KEY.to_ne_bytes();
pub(crate) const PUBLIC: &[u8] = &CKO_PUBLIC_KEY.to_ne_bytes();
pub(crate) const SECRET: &[u8] = &CKO_SECRET_KEY.to_ne_bytes();
pub(crate) const CERTIFICATE: &[u8] = &CKO_CERTIFICATE.to_ne_bytes();

/// Attributes as a test writes them.
pub(crate) type Given<'a> = &'a [(CK_ATTRIBUTE_TYPE, &'a [u8])];

/// See the module.
pub(crate) struct Token {
    pub(crate) module: Module,
    pub(crate) session: Arc<Session>,
}

pub(crate) fn template(given: Given<'_>) -> Template {
    let attribute = |(kind, value): &(_, &[u8])| Attribute { kind: *kind, value: value.to_vec().into() };
    Template(given.iter().map(attribute).collect())
}

pub(crate) fn mechanism(kind: CK_MECHANISM_TYPE) -> Mechanism {
    Mechanism { kind, parameter: Parameter::None }
}

impl Token {
    /// Of a client such as `org1-peer0`.
    pub(crate) fn new(deployment: &Deployment, client: &str) -> Self {
        Self::again(deployment, client, Arc::default())
    }

    /// The same process after C_Finalize and C_Initialize, if these are its handles.
    pub(crate) fn again(deployment: &Deployment, client: &str, objects: Arc<Objects>) -> Self {
        let config = Config::load(&deployment.client_dir(client).join("pkcs11.toml")).unwrap();
        let module = Module::over(config, objects);
        let session = module.open_session(1, CKF_SERIAL_SESSION | CKF_RW_SESSION).unwrap();
        let session = module.session(session).unwrap();
        module.login(&session, CKU_USER, b"1234").unwrap();
        Self { module, session }
    }

    pub(crate) fn find(&self, given: Given<'_>) -> Vec<CK_OBJECT_HANDLE> {
        self.module.objects.find(&self.module, &self.session, &template(given)).unwrap()
    }

    /// The only object that matches.
    pub(crate) fn only(&self, given: Given<'_>) -> CK_OBJECT_HANDLE {
        match self.find(given)[..] {
            [one] => one,
            ref found => panic!("{} objects match {given:x?}", found.len()),
        }
    }

    pub(crate) fn value(&self, handle: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Result<Value> {
        Ok(self.module.objects.values(&self.module, &self.session, handle, &[kind])?.remove(0))
    }

    /// The value of an attribute that there is.
    pub(crate) fn bytes(&self, handle: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
        match self.value(handle, kind) {
            Ok(Value::Bytes(bytes)) => bytes.to_vec(),
            other => panic!("{kind:#x}: {other:?}"),
        }
    }

    /// A P-256 pair, public half first; both halves have what is given.
    pub(crate) fn pair(&self, given: Given<'_>) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let public = template(&[&[(CKA_EC_PARAMS, P256)], given].concat());
        let kind = mechanism(CKM_EC_KEY_PAIR_GEN);
        self.module.objects.generate_pair(&self.module, &self.session, &kind, &public, &template(given))
    }

    /// A pair with this id and label, that is to stay.
    pub(crate) fn named_pair(&self, name: &str) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
        self.pair(&[(CKA_TOKEN, YES), (CKA_ID, name.as_bytes()), (CKA_LABEL, name.as_bytes())]).unwrap()
    }

    pub(crate) fn set(&self, handle: CK_OBJECT_HANDLE, given: Given<'_>) -> Result<()> {
        self.module.objects.set(&self.module, &self.session, handle, &template(given))
    }

    pub(crate) fn copy(&self, handle: CK_OBJECT_HANDLE, given: Given<'_>) -> Result<CK_OBJECT_HANDLE> {
        self.module.objects.copy(&self.module, &self.session, handle, &template(given))
    }

    pub(crate) fn create(&self, given: Given<'_>) -> Result<CK_OBJECT_HANDLE> {
        self.module.objects.create(&self.module, &self.session, &template(given))
    }

    pub(crate) fn destroy(&self, handle: CK_OBJECT_HANDLE) -> Result<()> {
        self.module.objects.destroy(&self.module, &self.session, handle)
    }

    /// Signs a digest with CKM_ECDSA.
    pub(crate) fn sign(&self, handle: CK_OBJECT_HANDLE, digest: &[u8]) -> Result<Vec<u8>> {
        operations::sign_init(&self.module, &self.session, &mechanism(CKM_ECDSA), handle)?;
        match operations::sign(&self.module, &self.session, digest, Room::Bytes(64))? {
            Output::Bytes(signature) => Ok(signature.to_vec()),
            Output::Needs(_) => Err(Rv(CKR_BUFFER_TOO_SMALL)),
        }
    }

    /// Whether CKM_ECDSA verifies.
    pub(crate) fn verify(&self, handle: CK_OBJECT_HANDLE, digest: &[u8], signature: &[u8]) -> Result<()> {
        operations::verify_init(&self.module, &self.session, &mechanism(CKM_ECDSA), handle)?;
        operations::verify(&self.module, &self.session, digest, signature)
    }
}
