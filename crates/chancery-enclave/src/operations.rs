//! The chain of what this process did with private and secret keys, and how far the log has shown it.
//!
//! **Invariants**
//! * Whatever may have been done with a key stands in the chain, in the order of its numbers, and nothing else does.
//! * Never do more than [`MOST_UNSHOWN`] operations, done or under way, lie beyond the last statement that the log showed.
//! * The lock is held for one short hash; nobody calls the token under it.
//!
//! **Not here**: what a link and a statement are made of (`chancery_audit::operations`), signing statements
//! (`checkpoint`).

use std::sync::{Mutex, MutexGuard};

use chancery_audit::{
    merkle::Hash,
    operations::{Chain, MOST_UNSHOWN, rsa_pkcs1, signature_commitment},
    record::Statement,
};
use chancery_ipc::{FaultReason, Mechanism, Operation};

use crate::fault::Failure;

/// Statements that were signed and not shown yet: more than the service ever has.
const MOST_STATEMENTS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Operations {
    incarnation: [u8; 16],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chain: Chain,
    /// Operations under way.
    begun: u64,
    /// How many a statement covers that the log showed.
    shown: u64,
    /// The last that it showed, and those that it has not, oldest first.
    stated: Vec<Statement>,
}

/// An operation under way: done, it gets a number; dropped, nothing was done.
#[must_use]
pub(crate) struct Begun<'o>(&'o Operations);

impl Operations {
    /// Of the process that drew these bytes.
    pub(crate) fn new(incarnation: [u8; 16]) -> Self {
        let state = State { chain: Chain::new(&incarnation), begun: 0, shown: 0, stated: Vec::new() };
        Self { incarnation, state: Mutex::new(state) }
    }

    /// Makes room for one operation, before anything of it is done.
    pub(crate) fn begin(&self) -> Result<Begun<'_>, Failure> {
        let mut state = self.lock();
        if state.chain.operations() + state.begun - state.shown >= MOST_UNSHOWN {
            let message = format!(
                "{MOST_UNSHOWN} operations lie beyond the last statement that the log has shown; no key is used or made \
                 until it shows another"
            );
            return Err(Failure::new(FaultReason::Unwitnessed, message));
        }
        state.begun += 1;
        Ok(Begun(self))
    }

    /// The chain as it is now, to be stated.
    pub(crate) fn chain(&self) -> (&[u8; 16], Chain) {
        (&self.incarnation, self.lock().chain.clone())
    }

    /// Remembers a statement until it is shown.
    pub(crate) fn stated(&self, statement: Statement) {
        let mut state = self.lock();
        if state.stated.len() == MOST_STATEMENTS {
            state.stated.remove(0);
        }
        state.stated.push(statement);
    }

    /// Whether `statement` is one that was signed here, and none after it was shown.
    pub(crate) fn is_ours(&self, statement: &Statement) -> bool {
        self.lock().stated.contains(statement)
    }

    /// The log shows a statement that is ours, and so all before it need not be shown any more.
    pub(crate) fn shown(&self, statement: &Statement) {
        let mut state = self.lock();
        state.shown = state.shown.max(statement.operations);
        let shown = state.shown;
        // The answer that it was shown may get lost: then it is shown again.
        state.stated.retain(|other| other.operations >= shown);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a panic ends the process")
    }
}

impl Begun<'_> {
    /// It was done, or may have been: the next link.
    pub(crate) fn done(self, version: &str, mechanism: &str, commitment: Hash) -> Operation {
        let number = self.0.lock().chain.extend(version, mechanism, &commitment);
        Operation {
            incarnation: self.0.incarnation.to_vec(),
            number,
            version: version.to_owned(),
            mechanism: mechanism.to_owned(),
            commitment: commitment.to_vec(),
        }
    }

    /// It failed: if it may have been done nevertheless, the failure says as which operation.
    pub(crate) fn failed(self, version: &str, mechanism: &str, failure: Failure) -> Failure {
        let operation = failure.maybe_performed.then(|| self.done(version, mechanism, random()));
        Failure { operation: operation.map(Box::new), ..failure }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.lock().begun -= 1;
    }
}

/// The word that a use's record has for its mechanism.
pub(crate) fn word(mechanism: Mechanism, input: &[u8]) -> &'static str {
    use Mechanism as M;
    match mechanism {
        M::Unspecified => "",
        M::Ecdsa | M::EcdsaCanonical => "ecdsa",
        M::Eddsa => "ed25519",
        M::RsaPkcs1 => rsa_pkcs1(input),
        M::RsaPssSha256 => "rsa-pss-sha256",
        M::RsaPssSha384 => "rsa-pss-sha384",
        M::RsaPssSha512 => "rsa-pss-sha512",
        M::Sm2 => "sm2",
        M::MlDsa => "ml-dsa",
        M::RsaOaepSha1Decrypt => "rsa-oaep-sha1",
        M::RsaOaepSha256Decrypt => "rsa-oaep",
        M::RsaOaepSha384Decrypt => "rsa-oaep-sha384",
        M::RsaOaepSha512Decrypt => "rsa-oaep-sha512",
        M::Sm2Decrypt => "sm2-encryption",
        M::Ecdh => "ecdh",
        M::GcmEncrypt | M::GcmDecrypt => "gcm",
        M::GcmEncryptGivenNonce => "gcm-given-nonce",
        M::CbcEncrypt | M::CbcDecrypt => "cbc",
        M::CbcPadEncrypt | M::CbcPadDecrypt => "cbc-pad",
        M::HmacSha256 => "hmac",
        M::KwpWrap | M::KwpUnwrap => "kwp",
    }
}

/// What is committed to of a use: of a signature, input and output, which its record holds; of any other use nothing, for
/// nobody may learn anything of what went in and came out.
pub(crate) fn commitment(mechanism: Mechanism, word: &str, input_sha256: &Hash, output: &[u8]) -> Hash {
    if crate::uses::signs(mechanism) { signature_commitment(word, input_sha256, output) } else { random() }
}

/// What is committed to where nothing may be told.
pub(crate) fn random() -> Hash {
    let mut bytes = [0; 32];
    // A system without random bytes can't run this process, which needed some to begin.
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(of: &Operations) -> Statement {
        let (incarnation, chain) = of.chain();
        Statement {
            incarnation: incarnation.to_vec(),
            operations: chain.operations(),
            running_hash: chain.link().to_vec(),
            signature: vec![1],
        }
    }

    #[test]
    fn what_is_under_way_counts_and_what_was_not_done_does_not() {
        let operations = Operations::new([7; 16]);
        let under_way: Vec<_> = (0..MOST_UNSHOWN).map(|_| operations.begin().ok().unwrap()).collect();
        assert_eq!(operations.begin().err().unwrap().reason, FaultReason::Unwitnessed);
        drop(under_way);
        assert_eq!(operations.begin().ok().unwrap().done("v", "generate", [0; 32]).number, 1);
    }

    #[test]
    fn a_statement_that_the_log_shows_makes_room() {
        let operations = Operations::new([7; 16]);
        for _ in 0..MOST_UNSHOWN {
            let _ = operations.begin().ok().unwrap().done("v", "ecdsa", [0; 32]);
        }
        assert!(operations.begin().is_err());
        let first = statement(&operations);
        assert!(!operations.is_ours(&first), "nobody signed it");
        operations.stated(first.clone());
        assert!(operations.begin().is_err(), "signed is not shown");
        assert!(!operations.is_ours(&Statement { operations: 1, ..first.clone() }));
        assert!(operations.is_ours(&first));
        operations.shown(&first);
        assert!(operations.begin().is_ok());
        assert!(operations.is_ours(&first), "it may be shown again");
        let _ = operations.begin().ok().unwrap().done("v", "ecdsa", [0; 32]);
        let second = statement(&operations);
        operations.stated(second.clone());
        operations.shown(&second);
        assert!(!operations.is_ours(&first) && operations.is_ours(&second));
    }

    #[test]
    fn a_failure_has_a_number_only_if_something_may_have_been_done() {
        let operations = Operations::new([7; 16]);
        let nothing = Failure::new(FaultReason::TokenFault, "no");
        assert_eq!(operations.begin().ok().unwrap().failed("v", "ecdsa", nothing).operation, None);
        let maybe = Failure::new(FaultReason::TokenFault, "maybe").after_a_change();
        let failed = operations.begin().ok().unwrap().failed("v", "ecdsa", maybe);
        assert_eq!(failed.operation.map(|operation| operation.number), Some(1));
        assert_eq!(operations.chain().1.operations(), 1);
    }

    #[test]
    fn every_mechanism_has_a_word() {
        for number in 1..=25 {
            let mechanism = Mechanism::try_from(number).unwrap();
            assert!(!word(mechanism, &[]).is_empty(), "{mechanism:?}");
        }
    }
}
