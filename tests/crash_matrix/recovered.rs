//! A log after a crash, as an auditor reads it: by `chancery audit verify`, and record by record.

use crate::harness::{expect_code, verify_log};
use chancery_audit::{
    record::Record,
    segment::parse_file_name,
    verify::{Report, Verifier},
};
use std::{fs, path::Path};

/// Every record, after all of it was verified by the command and by the library.
pub fn read(directory: &Path, key: &Path) -> (Vec<Record>, Report) {
    expect_code(&verify_log(directory, key), 0);
    let key = fs::read_to_string(key).unwrap().trim().parse().unwrap();
    let note = fs::read_to_string(directory.join("checkpoint")).unwrap();
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut segments: Vec<_> = names.filter(|name| parse_file_name(name).is_some()).collect();
    segments.sort();
    let mut verifier = Verifier::new(key, &note).unwrap();
    let mut records = Vec::new();
    for name in segments {
        let bytes = fs::read(directory.join(&name)).unwrap();
        verifier.segment_visiting(&name, &bytes, |record, _| records.push(record.clone())).unwrap();
    }
    (records, verifier.finish().unwrap())
}
