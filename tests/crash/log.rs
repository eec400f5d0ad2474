//! The audit log as an auditor reads it: offline, from its files and the public key.

use crate::{
    harness::{Deployment, expect_code},
    load::Seen,
};
use chancery_audit::{
    record::{Kind, Outcome, Record},
    segment::parse_file_name,
    verify::{Report, Verifier},
};
use chancery_client::Performed;
use std::{collections::HashMap, fs};

/// Every record, after all of it was verified.
pub struct Log {
    pub records: Vec<Record>,
    pub report: Report,
}

impl Log {
    /// Reads the log of a deployment whose service has stopped; `chancery audit verify` must agree with the library.
    pub fn read(deployment: &Deployment) -> Self {
        expect_code(&deployment.verify_log(), 0);
        let directory = deployment.dir().join("audit");
        let key = fs::read_to_string(deployment.dir().join("audit.vkey")).unwrap().parse().unwrap();
        let note = fs::read_to_string(directory.join("checkpoint")).unwrap();
        let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut segments: Vec<_> = names.filter(|name| parse_file_name(name).is_some()).collect();
        segments.sort();
        let mut verifier = Verifier::new(key, &note).unwrap();
        let mut records = Vec::new();
        for name in segments {
            let bytes = fs::read(directory.join(&name)).unwrap();
            verifier.segment_visiting(&name, &bytes, |record, _| records.push(record.clone())).unwrap();
        }
        Self { records, report: verifier.finish().unwrap() }
    }

    /// The records of signatures that were made.
    pub fn signatures(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| {
            record.kind == Kind::Outcome as i32
                && record.action == "Sign"
                && record.outcome == Outcome::Succeeded as i32
        })
    }

    /// Every signature that a client received stands in the log exactly once, where its answer said and with its bytes;
    /// every failure told the truth.
    pub fn accounts_for(&self, seen: &Seen) {
        let mut count: HashMap<(&[u8], &[u8]), usize> = HashMap::new();
        let mut signed: HashMap<&str, usize> = HashMap::new();
        for record in self.signatures() {
            *count.entry((&record.digest, &record.signature)).or_default() += 1;
            *signed.entry(&record.request_id).or_default() += 1;
        }
        for released in &seen.released {
            let record = &self.records[usize::try_from(released.index).unwrap()];
            assert_eq!(
                (&record.request_id, &record.digest, &record.signature, &record.resource),
                (&released.request_id, &released.digest, &released.signature, &released.version),
                "record {} is not that of the signature that was released",
                released.index
            );
            assert_eq!(count.get(&(&*released.digest, &*released.signature)), Some(&1), "record {}", released.index);
        }
        for failure in &seen.failures {
            let recorded = signed.get(&*failure.request_id).copied().unwrap_or_default();
            assert!(failure.error.retryable, "a crash is nothing that the caller did: {:?}", failure.error);
            assert!(
                recorded == 0 || failure.error.performed != Some(Performed::NotPerformed),
                "request {} was performed: {:?}",
                failure.request_id,
                failure.error
            );
        }
    }
}
