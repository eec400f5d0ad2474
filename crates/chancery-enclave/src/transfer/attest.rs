//! Statements about keys, signed with the audit key.
//!
//! **Invariant**: what a statement says of a key was read from the token, or was proven by opening the wrapped key, while
//! the statement was made: nothing in it is chanceryd's word alone.

use chancery_ipc::{Attest, Attested, FaultReason, KeyOrigin, KeyProtection, KeyRef};
use chancery_transfer::statement::{Custody, KeyStatement, Statement, TokenAttributes};
use cryptoki::{
    object::{Attribute, AttributeType, ObjectClass},
    session::Session,
};

use super::{Surroundings, Transfers, words};
use crate::{
    fault::{Failure, UseError, while_using},
    keys::Key,
    opened::OpenKey,
    template, uses,
    wrapped::{self, Context},
};

/// The longest nonce.
const MAX_NONCE: usize = 64;

impl Transfers {
    pub(super) fn attest(&self, around: &Surroundings<'_>, request: &Attest) -> Result<Attested, Failure> {
        let key = &request.key;
        if request.nonce.len() > MAX_NONCE {
            return Err(Failure::bad_request(format!("a nonce has at most {MAX_NONCE} bytes")));
        }
        around.running.directory.version_id(&key.version)?;
        let custody = match key.protection() {
            KeyProtection::Token => of_token(around, key)?,
            KeyProtection::Enclave => of_enclave(around, key)?,
            KeyProtection::Unspecified => return Err(Failure::bad_request("no protection is named")),
        };
        let public_key_sha256 = key.public_key_sha256.as_slice().try_into();
        let statement = KeyStatement {
            deployment: around.running.directory.deployment().to_owned(),
            version: key.version.clone(),
            algorithm: words::algorithm(key.algorithm())?.to_owned(),
            purpose: words::purpose(key.purpose())?.to_owned(),
            public_key_sha256: public_key_sha256.map_err(|_| Failure::bad_request("a SHA-256 has 32 bytes"))?,
            origin: words::origin(key.origin())?,
            custody,
            witness: self.witness_now(),
            nonce: request.nonce.clone(),
        };
        let (statement, signature) = self.sign(&around.logged_in.session, &Statement::Key(statement))?;
        Ok(Attested { statement, signature })
    }

    /// A statement's text and the audit key's signature over it.
    pub(super) fn sign(&self, session: &Session, statement: &Statement) -> Result<(String, Vec<u8>), Failure> {
        let text = statement.text().map_err(|error| Failure::bad_request(error.to_string()))?;
        let signature = self.audit_key.sign(session, &text, "signing a statement")?;
        Ok((text, signature))
    }
}

/// The blob must open as the registered key: its associated data says the rest.
fn of_enclave(around: &Surroundings<'_>, key: &KeyRef) -> Result<Custody, Failure> {
    if key.wrapped.is_empty() {
        let message = format!("a statement about {} takes its wrapped key: send it along", key.version);
        return Err(Failure::new(FaultReason::KeyNotOpen, message));
    }
    let (session, running) = (&around.logged_in.session, around.running);
    let context = Context::of(running.directory.deployment(), key);
    let secret = wrapped::unwrap(&running.keks, session, &mut running.rng.on(session), &context, &key.wrapped)?;
    OpenKey::new(key, &secret)?;
    Ok(Custody::Enclave { kek_generation: wrapped::kek_generation(&context, &key.wrapped)? })
}

fn of_token(around: &Surroundings<'_>, registered: &KeyRef) -> Result<Custody, Failure> {
    let (session, running) = (&around.logged_in.session, around.running);
    // A stale handle: another process replaced or removed the object.
    for _ in 0..2 {
        let key = running.keys.key(session, registered)?;
        let _reading = running.directory.read();
        match read(session, &key, registered) {
            Ok(attributes) => return Ok(Custody::Token(attributes)),
            Err(UseError::Failed(failure)) => return Err(failure),
            Err(UseError::StaleHandle) => running.keys.forget(&registered.version, &key),
        }
    }
    let message = format!("the key of {} left the token while it was looked at", registered.version);
    Err(Failure::new(FaultReason::KeyNotFound, message))
}

fn read(session: &Session, key: &Key, registered: &KeyRef) -> Result<TokenAttributes, UseError> {
    use AttributeType as T;
    let wanted =
        [T::Local, T::Sensitive, T::AlwaysSensitive, T::Extractable, T::NeverExtractable, T::Modifiable, T::Copyable];
    let found = session.get_attributes(key.object, &wanted).map_err(while_using("reading a key's attributes"))?;
    let mut attributes = TokenAttributes::default();
    for attribute in found {
        match attribute {
            Attribute::Local(is) => attributes.local = Some(is),
            Attribute::Sensitive(is) => attributes.sensitive = Some(is),
            Attribute::AlwaysSensitive(is) => attributes.always_sensitive = Some(is),
            Attribute::Extractable(is) => attributes.extractable = Some(is),
            Attribute::NeverExtractable(is) => attributes.never_extractable = Some(is),
            Attribute::Modifiable(is) => attributes.modifiable = Some(is),
            Attribute::Copyable(is) => attributes.copyable = Some(is),
            _ => {}
        }
    }
    let mismatch = |why: &str| {
        let message =
            format!("the token's key of {} can't be attested as it was registered: {why}", registered.version);
        Failure::new(FaultReason::KeyMismatch, message)
    };
    require_origin(attributes.local, registered.origin()).map_err(mismatch)?;
    let secret = uses::is_secret(registered.algorithm());
    let class = if secret { ObjectClass::SECRET_KEY } else { ObjectClass::PRIVATE_KEY };
    if !template::serves(session, class, key.object, registered.purpose())? {
        return Err(mismatch("it is for another purpose").into());
    }
    Ok(attributes)
}

/// What the token tells of a key's origin by CKA_LOCAL must be what was registered; no backup holds a key of the token.
fn require_origin(local: Option<bool>, registered: KeyOrigin) -> Result<(), &'static str> {
    match (local, registered) {
        (Some(true), KeyOrigin::Generated) | (Some(false), KeyOrigin::Imported) => Ok(()),
        (Some(_), _) => Err("its origin is another (CKA_LOCAL)"),
        (None, _) => Err("the token does not tell its origin (CKA_LOCAL), and nothing else proves it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement that repeated what it was told would vouch for chanceryd's word.
    #[test]
    fn an_origin_is_stated_only_as_the_token_tells_it() {
        use KeyOrigin as O;
        for local in [Some(true), Some(false), None] {
            for origin in [O::Unspecified, O::Generated, O::Imported, O::Restored] {
                let proven = matches!((local, origin), (Some(true), O::Generated) | (Some(false), O::Imported));
                assert_eq!(require_origin(local, origin).is_ok(), proven, "{local:?} {origin:?}");
            }
        }
    }
}
