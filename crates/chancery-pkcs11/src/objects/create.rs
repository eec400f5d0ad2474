//! Objects that clients bring along (PKCS#11 v3.0 §5.7.1), and secrets that come of deriving and unwrapping.
//!
//! **Invariants**
//! * No private key is taken in: keys are imported by `chancery keys import`, sealed to the enclave.
//! * Only certificates outlast the session.
//!
//! **Not here**: new keys at the service (`generate`).

use super::{
    Object, Objects, Secret,
    attributes::{self, Table},
    given_key,
    template::{New, agrees},
};
use crate::{
    attribute::{Attribute, Template},
    mechanism::Mechanism,
    module::{Module, Session},
    remote::Doing,
    rv::{Result, Rv},
};
use chancery_api::v1::{self, ObjectClass};
use chancery_client::request_id;
use cryptoki_sys::*;
use std::{ops::RangeInclusive, sync::Arc};
use x509_cert::{Certificate, der::Decode};
use zeroize::Zeroizing;

/// The longest certificate or secret that is taken in, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

impl Objects {
    /// C_CreateObject: certificates at the service, or here; public keys and secrets here, for the session's length.
    ///
    /// # Errors
    /// As PKCS#11 v3.0 §5.7.1; `CKR_TEMPLATE_INCONSISTENT` for private keys and for secrets that are to stay.
    pub fn create(&self, module: &Module, session: &Session, template: &Template) -> Result<CK_OBJECT_HANDLE> {
        match template.number(CKA_CLASS)?.ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))? {
            CKO_CERTIFICATE => self.create_certificate(module, session, template),
            CKO_PUBLIC_KEY => self.create_public_key(module, session, template),
            CKO_SECRET_KEY => {
                New::GivenSecret.check(template)?;
                let value = template.bytes(CKA_VALUE).ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
                template.number(CKA_KEY_TYPE)?.ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
                self.add_secret(module, session, Zeroizing::new(value.to_vec()), template)
            }
            CKO_PRIVATE_KEY => Err(Rv(CKR_TEMPLATE_INCONSISTENT)),
            _ => Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
        }
    }

    /// Checks what a template says of a secret that is about to be derived or unwrapped, which will have one of these
    /// lengths: before a key is used for it.
    ///
    /// # Errors
    /// As [`Objects::keep_secret`] has them.
    pub fn check_secret(template: &Template, mut lengths: RangeInclusive<usize>) -> Result<()> {
        New::LocalSecret.check(template)?;
        let kind = template.number(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET);
        let given = template.number(CKA_VALUE_LEN)?;
        if given.is_some_and(|given| !lengths.clone().any(|length| length as CK_ULONG == given)) {
            return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
        }
        if lengths.any(|length| may_have(kind, length)) { Ok(()) } else { Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)) }
    }

    /// A secret that came of deriving or unwrapping, with the client's template; it ends with the session. `value` is as
    /// long as the template's CKA_VALUE_LEN says, if it says so.
    ///
    /// # Errors
    /// Where the template asks for what can't be.
    pub fn keep_secret(
        &self,
        module: &Module,
        session: &Session,
        value: Zeroizing<Vec<u8>>,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        New::LocalSecret.check(template)?;
        if template.number(CKA_VALUE_LEN)?.is_some_and(|length| length != value.len() as CK_ULONG) {
            return Err(Rv(CKR_TEMPLATE_INCONSISTENT));
        }
        self.add_secret(module, session, value, template)
    }

    /// A secret that its client may read or wrap, made here for the session's length.
    pub(super) fn make_secret(
        &self,
        module: &Module,
        session: &Session,
        mechanism: &Mechanism,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        New::LocalSecret.check(template)?;
        let key_type = match mechanism.kind {
            CKM_AES_KEY_GEN => CKK_AES,
            CKM_GENERIC_SECRET_KEY_GEN => CKK_GENERIC_SECRET,
            _ => return Err(Rv(CKR_MECHANISM_INVALID)),
        };
        agrees(template, CKA_KEY_TYPE, key_type)?;
        let length = template.number(CKA_VALUE_LEN)?.ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?;
        let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST_VALUE);
        let mut value = Zeroizing::new(vec![0; length.ok_or(Rv(CKR_KEY_SIZE_RANGE))?]);
        getrandom::fill(&mut value).map_err(|_| Rv(CKR_FUNCTION_FAILED))?;
        let mut template = template.clone();
        template.0.retain(|attribute| attribute.kind != CKA_KEY_TYPE);
        let value_of_type = Zeroizing::new(key_type.to_ne_bytes().to_vec());
        template.0.push(Attribute { kind: CKA_KEY_TYPE, value: value_of_type });
        self.add_secret(module, session, value, &template)
    }

    fn add_secret(
        &self,
        module: &Module,
        session: &Session,
        value: Zeroizing<Vec<u8>>,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        let kind = template.number(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET);
        if !may_have(kind, value.len()) {
            return Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID));
        }
        // As SoftHSM has it where nothing is said.
        let extractable = template.boolean(CKA_EXTRACTABLE)?.unwrap_or(false);
        let readable = extractable && template.boolean(CKA_SENSITIVE)? == Some(false);
        let secret = Secret { value, kind, extractable, readable };
        let table = attributes::local_secret(&secret, template)?;
        self.keep(module, session, Object::Secret(Arc::new(secret)), table)
    }

    fn create_public_key(&self, module: &Module, session: &Session, template: &Template) -> Result<CK_OBJECT_HANDLE> {
        New::GivenPublic.check(template)?;
        let profile = module.slot(session.slot)?.sm2;
        let (algorithm, key) = given_key::public_key(template, profile)?;
        let table = attributes::local_public(&key, algorithm, template, profile)?;
        self.keep(module, session, Object::PublicKey(Arc::new(key)), table)
    }

    fn create_certificate(&self, module: &Module, session: &Session, template: &Template) -> Result<CK_OBJECT_HANDLE> {
        New::Certificate.check(template)?;
        let token = template.boolean(CKA_TOKEN)?.unwrap_or(false);
        match template.number(CKA_CERTIFICATE_TYPE)? {
            None => return Err(Rv(CKR_TEMPLATE_INCOMPLETE)),
            Some(CKC_X_509) => (),
            Some(_) => return Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID)),
        }
        let certificate = template.bytes(CKA_VALUE).ok_or(Rv(CKR_TEMPLATE_INCOMPLETE))?.to_vec();
        if certificate.len() > LONGEST_VALUE || Certificate::from_der(&certificate).is_err() {
            return Err(Rv(CKR_ATTRIBUTE_VALUE_INVALID));
        }
        let [id, label] = [CKA_ID, CKA_LABEL].map(|kind| template.bytes(kind).unwrap_or_default().to_vec());
        if token {
            return self.give(module, session, certificate, id, label);
        }
        let table = attributes::certificate(&attributes::given(CKO_CERTIFICATE, template)?, &certificate, false);
        let mut object = v1::Object { certificate, ..v1::Object::default() };
        object.set_class(ObjectClass::CertificateObject);
        self.keep(module, session, Object::Certificate(Arc::new(object)), table)
    }

    /// Shows one that lives here, until the session ends.
    ///
    /// # Errors
    /// `CKR_SESSION_HANDLE_INVALID` where it has ended; `CKR_HOST_MEMORY`.
    pub(super) fn keep(
        &self,
        module: &Module,
        session: &Session,
        object: Object,
        table: Table,
    ) -> Result<CK_OBJECT_HANDLE> {
        let slot = self.slot(session)?;
        let mut listing = slot.write();
        // Under the lock, as `session_closed` ends what is listed.
        module.session(session.handle)?;
        listing.add_local(object, session.handle, table)
    }

    /// Gives a certificate to the service.
    pub(super) fn give(
        &self,
        module: &Module,
        session: &Session,
        certificate: Vec<u8>,
        id: Vec<u8>,
        label: Vec<u8>,
    ) -> Result<CK_OBJECT_HANDLE> {
        let parent = module.slot(session.slot)?.organization.clone();
        let request = v1::CreateCertificateObjectRequest { parent, certificate, id, label, request_id: request_id() };
        let given = module.remote.call(move |client, attempt| {
            let request = attempt.request(request.clone());
            async move { client.objects().create_certificate_object(request).await }
        });
        let given = given.map_err(|failure| failure.rv(Doing::Making))?;
        Ok(self.slot(session)?.write().change(given, None))
    }
}

/// Whether a secret of this type may have so many bytes.
fn may_have(kind: CK_KEY_TYPE, length: usize) -> bool {
    if kind == CKK_AES { matches!(length, 16 | 24 | 32) } else { (1..=LONGEST_VALUE).contains(&length) }
}
