//! Segments and verifier under hostile bytes: nothing panics, what is read is exactly what stands there, and only the
//! golden log's records verify against the golden log's checkpoint.
#![no_main]

use std::sync::LazyLock;

use chancery_audit::checkpoint::VerifierKey;
use chancery_audit::merkle::Frontier;
use chancery_audit::segment::{Frames, Header, append_frame, file_name};
use chancery_audit::verify::Verifier;
use libfuzzer_sys::fuzz_target;

const VKEY: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/audit.vkey");
const NOTE: &str = include_str!("../../crates/chancery-audit/tests/golden/v1/checkpoint");
const GOLDEN: &[u8] = include_bytes!("../../crates/chancery-audit/tests/golden/v1/00000000000000000000.seg");

/// Signed by the golden key too: a checkpoint of no records, so that the rules between records are reached.
const EMPTY: &str = "audit.example.org/chancery-1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\
    — audit.example.org/chancery-1 +/PgdpTWSR+1i/hdmP3HwtyIsFYcdmqVedLNL4jrDyrQKW2Ni/VImr7hnFJ2ZTb1A96dxTf2bnpA53fgn8ltxUlN6gQ=\n";

static GOLDEN_VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(NOTE));
static EMPTY_VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(EMPTY));

fn verifier(note: &str) -> Verifier {
    let key: VerifierKey = VKEY.parse().expect("the golden key");
    Verifier::new(key, note).expect("a note by the golden key")
}

fuzz_target!(|data: &[u8]| {
    as_file(data);
    as_records(data);
});

/// The input is a segment file.
fn as_file(file: &[u8]) {
    if let Ok((header, mut frames)) = Frames::new(file) {
        let mut again = header.encode().to_vec();
        let mut sound = true;
        for frame in frames.by_ref() {
            match frame {
                Ok(frame) => {
                    assert_eq!(frame.offset, again.len());
                    append_frame(&mut again, frame.record);
                }
                Err(_) => sound = false,
            }
        }
        let end = frames.end_offset();
        assert_eq!(again, file[..end]);
        assert!(!sound || file[end..].iter().all(|byte| *byte == 0));
    }

    let mut verifier = GOLDEN_VERIFIER.clone();
    let read = verifier.segment(&file_name(0), file);
    let finished = verifier.finish();
    assert!(read.is_ok() || finished.is_err(), "a verifier that failed reported success");
    if finished.is_ok() {
        let (_, mut frames) = Frames::new(GOLDEN).expect("the golden segment");
        frames.by_ref().for_each(drop);
        assert!(file.starts_with(&GOLDEN[..frames.end_offset()]), "other records verified");
    }
}

/// The input is a sequence of records, each a length byte and so many bytes of message: framed well, and with index and salt
/// put right, so that what is left to refuse are the records themselves.
fn as_records(mut data: &[u8]) {
    let (golden, mut frames) = Frames::new(GOLDEN).expect("the golden segment");
    let genesis = frames.next().expect("a record").expect("a sound frame");
    let tree_root = Frontier::default().root();
    let mut file = Header { first_index: 0, origin_hash: golden.origin_hash, tree_root }.encode().to_vec();
    append_frame(&mut file, genesis.record);

    let mut index = 1_u8;
    while let Some((length, rest)) = data.split_first() {
        let (message, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let mut record = message.to_vec();
        // Fields 1 and 31: the last occurrence of a field counts.
        record.extend_from_slice(&[0x08, index, 0xfa, 0x01, 16]);
        record.extend_from_slice(&[0; 16]);
        append_frame(&mut file, &record);
        data = rest;
        index += 1;
        if index == 128 {
            break;
        }
    }

    let mut verifier = EMPTY_VERIFIER.clone();
    if verifier.segment(&file_name(0), &file).is_ok() {
        let report = verifier.finish().expect("all was read");
        assert_eq!(report.records, u64::from(index));
        assert_eq!(report.by_kind.values().sum::<u64>() + report.unknown_kinds, report.records);
    }
}
