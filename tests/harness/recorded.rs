//! The audit log as an auditor reads it: offline, from its files and the public key.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part; a test has no public")]

use crate::harness::{Deployment, expect_code};
use chancery_audit::{
    record::{Kind, Outcome, Record},
    segment::parse_file_name,
    verify::{Report, Verifier},
};
use std::fs;

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
        self.ended("Sign", Outcome::Succeeded)
    }

    /// How often a method ended so.
    pub fn count(&self, action: &str, outcome: Outcome) -> usize {
        self.ended(action, outcome).count()
    }

    fn ended(&self, action: &str, outcome: Outcome) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| {
            record.kind == Kind::Outcome as i32 && record.action == action && record.outcome == outcome as i32
        })
    }
}
