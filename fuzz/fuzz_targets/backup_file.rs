//! Backup files and their parts under hostile bytes, whole and in pieces: nothing panics, what is read is what stood there,
//! and with the golden shares only the golden file opens.
#![no_main]

use std::sync::LazyLock;

use chancery_transfer::backup::file::{Frame, MAGIC, Reader, Writer};
use chancery_transfer::backup::{EntryHead, Header, Opener, Trailer, custody};
use chancery_transfer::envelope::PrivateKey;
use chancery_transfer::shares::{Commitments, Share};
use libfuzzer_sys::fuzz_target;

const GOLDEN: &[u8] = include_bytes!("../../crates/chancery-transfer/tests/golden/v1/backup");
const CUSTODIANS: [&str; 2] = [
    include_str!("../../crates/chancery-transfer/tests/golden/v1/custodian1.pem"),
    include_str!("../../crates/chancery-transfer/tests/golden/v1/custodian2.pem"),
];

static SHARES: LazyLock<Vec<Share>> = LazyLock::new(|| {
    let (frames, _) = read(GOLDEN, GOLDEN.len()).expect("the golden file");
    let Some(Frame::Header(header)) = frames.first() else { panic!("a header") };
    let header = Header::decode(header).expect("the golden header");
    let key = |pem| PrivateKey::from_pem(pem).expect("a key");
    CUSTODIANS.iter().map(|pem| custody::open_share(&header, &key(pem)).expect("a share")).collect()
});

fn read(file: &[u8], piece: usize) -> Option<(Vec<Frame>, [u8; 32])> {
    let (mut reader, mut frames) = (Reader::default(), Vec::new());
    for bytes in file.chunks(piece) {
        reader.extend(bytes);
        while let Some(frame) = reader.next_frame().ok()? {
            frames.push(frame);
        }
    }
    reader.finish().ok()?;
    Some((frames, reader.states_sha256()))
}

/// The same file, written again.
fn written(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    let Some((Frame::Header(header), rest)) = frames.split_first() else { panic!("a header comes first") };
    let mut writer = Writer::begin(header, &mut out).expect("it was read");
    for frame in rest {
        let done = match frame {
            Frame::State(state) => writer.state(state, &mut out),
            Frame::Entry(entry) => writer.entry(entry, &mut out),
            Frame::Trailer(trailer) => return writer.finish(trailer, &mut out).map(|()| out).expect("it was read"),
            Frame::Header(_) => panic!("one header"),
        };
        done.expect("it was read");
    }
    panic!("a trailer comes last")
}

fn opens(frames: &[Frame], states_sha256: &[u8; 32]) -> bool {
    let mut opener = None;
    for frame in frames {
        let fits = match (frame, &mut opener) {
            (Frame::Header(header), None) => {
                opener = Opener::open(header, &SHARES).ok().map(|(_, opener)| opener);
                opener.is_some()
            }
            (Frame::Entry(entry), Some(opener)) => opener.entry(entry).is_ok(),
            (Frame::Trailer(trailer), Some(opener)) => return opener.finish(trailer, states_sha256).is_ok(),
            (Frame::State(_), Some(_)) => true,
            _ => false,
        };
        if !fits {
            return false;
        }
    }
    false
}

fuzz_target!(|data: &[u8]| {
    // Parts by themselves.
    let _ = Trailer::decode(data);
    let _ = Commitments::from_bytes(data.chunks(33));
    if let Ok(share) = Share::from_bytes(data) {
        assert_eq!(share.to_bytes().as_slice(), data);
    }
    if let Ok(header) = Header::decode(data) {
        assert!(header.threshold() <= header.custodians.len());
    }
    let _ = EntryHead::decode(0, data);

    let whole = read(data, data.len().max(1));
    assert_eq!(read(data, 7), whole);
    let Some((frames, states_sha256)) = whole else { return };
    assert!(data.starts_with(MAGIC));
    assert_eq!(written(&frames), data);
    if opens(&frames, &states_sha256) {
        // States stand where they like among the entries: what is sealed is their own order.
        let sorted = |frames: &[Frame]| {
            let (states, others): (Vec<_>, Vec<_>) =
                frames.iter().cloned().partition(|frame| matches!(frame, Frame::State(_)));
            (states, others)
        };
        let (golden, _) = read(GOLDEN, GOLDEN.len()).expect("the golden file");
        assert_eq!(sorted(&frames), sorted(&golden));
    }
});
