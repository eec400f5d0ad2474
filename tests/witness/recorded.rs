//! The log as its files hold it, and the enclave's chains computed from it.

use crate::harness::Deployment;
use chancery_audit::{
    checkpoint::VerifierKey,
    operations::{Chain, statement_text},
    record::{Outcome, Record, Statement},
    segment::{Frames, parse_file_name},
};
use prost::Message;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

/// Every record of a deployment whose service has stopped.
pub fn records(deployment: &Deployment) -> Vec<Record> {
    read(deployment).expect("a whole log")
}

/// Those that the log of a running service has by now; none while one is being written.
pub fn records_so_far(deployment: &Deployment) -> Vec<Record> {
    read(deployment).unwrap_or_default()
}

fn read(deployment: &Deployment) -> Option<Vec<Record>> {
    let directory = deployment.dir().join("audit");
    let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut segments: Vec<_> = names.filter(|name| parse_file_name(name).is_some()).collect();
    segments.sort();
    let mut records = Vec::new();
    for name in segments {
        let bytes = fs::read(directory.join(name)).unwrap();
        let (_, frames) = Frames::new(&bytes).ok()?;
        for frame in frames {
            records.push(Record::decode(frame.ok()?.record).ok()?);
        }
    }
    Some(records)
}

/// What the log shows of one enclave process.
#[derive(Default)]
pub struct Process {
    /// By number.
    pub operations: BTreeMap<u64, Record>,
    /// In the log's order.
    pub statements: Vec<Statement>,
}

impl Process {
    /// The numbers that are missing up to the last that is shown or stated.
    pub fn holes(&self) -> Vec<u64> {
        let stated = self.statements.last().map_or(0, |statement| statement.operations);
        let last = self.operations.keys().next_back().copied().unwrap_or(0).max(stated);
        (1..=last).filter(|number| !self.operations.contains_key(number)).collect()
    }

    /// Operations that have a record only because their own could not be written.
    pub fn reconciled(&self) -> usize {
        self.operations.values().filter(|record| record.reason == "NOT_RECORDED").count()
    }
}

/// By incarnation; every statement is the audit key's and is what the operations before it come to.
pub fn processes(deployment: &Deployment) -> HashMap<Vec<u8>, Process> {
    let key: VerifierKey = fs::read_to_string(deployment.dir().join("audit.vkey")).unwrap().parse().unwrap();
    let mut processes: HashMap<Vec<u8>, Process> = HashMap::new();
    for record in records(deployment) {
        if let Some(statement) = &record.statement {
            processes.entry(statement.incarnation.clone()).or_default().statements.push(statement.clone());
        }
        if record.enclave_operation != 0 {
            let process = processes.entry(record.enclave_incarnation.clone()).or_default();
            assert!(!record.mechanism.is_empty() && record.resource.contains("/versions/"), "{record:?}");
            assert!(record.outcome() == Outcome::Succeeded || record.signature.is_empty());
            let twice = process.operations.insert(record.enclave_operation, record);
            assert!(twice.is_none(), "a number twice: {twice:?}");
        }
    }
    for (incarnation, process) in &processes {
        let incarnation: [u8; 16] = incarnation.as_slice().try_into().unwrap();
        let (mut chain, mut links) = (Chain::new(&incarnation), vec![*Chain::new(&incarnation).link()]);
        for (number, record) in &process.operations {
            if *number != chain.operations() + 1 {
                break;
            }
            let commitment = record.enclave_commitment.as_slice().try_into().unwrap();
            chain.extend(&record.resource, &record.mechanism, &commitment);
            links.push(*chain.link());
        }
        for statement in &process.statements {
            let link = statement.running_hash.as_slice().try_into().unwrap();
            let text = statement_text(key.name(), &incarnation, statement.operations, &link);
            assert!(key.verify(&text, &statement.signature), "{text}");
            if let Some(computed) = links.get(usize::try_from(statement.operations).unwrap()) {
                assert_eq!(computed, &link, "{} operations", statement.operations);
            }
        }
    }
    processes
}
