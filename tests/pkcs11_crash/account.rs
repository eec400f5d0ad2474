//! What clients received, held against the audit log and the registry of keys.

use crate::{
    client::Job,
    lines::{Received, Signature},
};
use aws_lc_rs::{
    digest::{Digest, SHA256},
    signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey},
};
use chancery_audit::record::Record;
use std::collections::{HashMap, HashSet};

/// Records of signatures that no client printed, by principal.
pub(crate) type Unclaimed = HashMap<String, usize>;

/// Every signature that a client received stands in the log exactly once, over the digest that it asked for and under its
/// principal. What else was signed, by these records, is counted.
pub(crate) fn signatures<'a>(signed: impl Iterator<Item = &'a Record>, received: &[(Job, Received)]) -> Unclaimed {
    let mut records = HashMap::new();
    for record in signed {
        let principal = record.principal.as_ref().map(|principal| principal.name.clone()).unwrap_or_default();
        let before = records.insert(record.signature.as_slice(), (record.digest.as_slice(), principal));
        assert!(before.is_none(), "record {} is that of a signature that was recorded before", record.index);
    }
    let mut seen = HashSet::new();
    for (job, received) in received {
        for Signature { digest, raw } in &received.signatures {
            assert!(seen.insert(raw), "{} was given a signature of somebody's: {}", job.name, hex::encode(raw));
            let record = records.remove(raw.as_slice());
            let record = record.unwrap_or_else(|| panic!("{}'s {} is not in the log", job.name, hex::encode(raw)));
            assert_eq!(record, (digest.as_slice(), job.principal.to_owned()), "{}", job.name);
        }
    }
    let mut unclaimed = Unclaimed::new();
    for (_, principal) in records.into_values() {
        *unclaimed.entry(principal).or_default() += 1;
    }
    unclaimed
}

/// A library that is not ours verifies every signature of a client with its key's point.
pub(crate) fn verify(point: &[u8], received: &Received) {
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).unwrap();
    for Signature { digest, raw } in &received.signatures {
        let digest = Digest::import_less_safe(digest, &SHA256).unwrap();
        key.verify_digest_sig(&digest, raw).unwrap_or_else(|_| panic!("{} does not verify", hex::encode(raw)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Job, Received, Record, signatures};
    use chancery_audit::record::Principal;

    fn record(signature: u8, principal: &str) -> Record {
        let principal = Some(Principal { name: principal.into(), ..Principal::default() });
        Record { principal, digest: vec![7; 32], signature: vec![signature; 64], ..Record::default() }
    }

    fn received(signed: &[u8]) -> (Job, Received) {
        let mut received = Received::default();
        for signature in signed {
            received.line(&format!("signature {} {}\n", "07".repeat(32), hex::encode([*signature; 64])));
        }
        (Job { name: "a client", principal: "peer0", key: String::new(), threads: 1, dies: false }, received)
    }

    #[test]
    fn what_nobody_received_is_counted() {
        let records = [record(1, "peer0"), record(2, "peer0"), record(3, "client"), record(4, "client")];
        let unclaimed = signatures(records.iter(), &[received(&[1, 2])]);
        assert_eq!(unclaimed, [("client".to_owned(), 2)].into());
    }

    #[test]
    #[should_panic(expected = "is not in the log")]
    fn a_signature_without_a_record_is_noticed() {
        signatures([record(1, "peer0")].iter(), &[received(&[1, 2])]);
    }

    #[test]
    #[should_panic(expected = "recorded before")]
    fn a_second_record_is_noticed() {
        signatures([record(1, "peer0"), record(1, "peer0")].iter(), &[received(&[1])]);
    }

    #[test]
    #[should_panic(expected = "a signature of somebody's")]
    fn a_signature_that_two_received_is_noticed() {
        signatures([record(1, "peer0")].iter(), &[received(&[1]), received(&[1])]);
    }

    #[test]
    #[should_panic(expected = "a client")]
    fn a_record_of_another_principal_is_noticed() {
        signatures([record(1, "client")].iter(), &[received(&[1])]);
    }
}
