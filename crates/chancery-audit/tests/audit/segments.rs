//! Segment bytes: names, headers, frames, and what is not one of them.

use chancery_audit::segment::{
    FRAME_OVERHEAD, Frames, Header, MAX_RECORD, SegmentError, append_frame, file_name, parse_file_name,
};
use proptest::prelude::*;

fn header(first_index: u64) -> Header {
    Header { first_index, origin_hash: [0x0a; 32], tree_root: [0x0b; 32] }
}

fn segment(first_index: u64, records: &[&[u8]], tail: &[u8]) -> Vec<u8> {
    let mut file = header(first_index).encode().to_vec();
    records.iter().for_each(|record| append_frame(&mut file, record));
    file.extend_from_slice(tail);
    file
}

/// Index and bytes of a record.
type Read = (u64, Vec<u8>);

/// The records up to the first error, where the last of them ends, and that error.
fn read(file: &[u8]) -> (Vec<Read>, usize, Option<SegmentError>) {
    let (_, mut frames) = Frames::new(file).unwrap();
    let mut records = Vec::new();
    let mut error = None;
    for frame in &mut frames {
        match frame {
            Ok(frame) => records.push((frame.index, frame.record.to_vec())),
            Err(found) => error = Some(found),
        }
    }
    assert_eq!(frames.next(), None);
    (records, frames.end_offset(), error)
}

#[test]
fn names() {
    assert_eq!(file_name(0), "00000000000000000000.seg");
    for index in [0, 7, u64::MAX] {
        assert_eq!(parse_file_name(&file_name(index)), Some(index));
    }
    for bad in [
        "",
        ".seg",
        "0.seg",
        "checkpoint",
        "18446744073709551616.seg",
        "+0000000000000000000.seg",
        "00000000000000000000.SEG",
        "000000000000000000000.seg",
        "/0000000000000000000.seg",
    ] {
        assert_eq!(parse_file_name(bad), None, "{bad}");
    }
}

#[test]
fn headers() {
    let bytes = header(u64::MAX - 5).encode();
    assert_eq!(bytes.len(), Header::LENGTH);
    assert_eq!(Header::decode(&bytes), Ok(header(u64::MAX - 5)));
    assert_eq!(Header::decode(&bytes[..87]), Err(SegmentError::Short { length: 87 }));

    let mut later = bytes;
    later[8] = 2;
    assert_eq!(Header::decode(&later), Err(SegmentError::HeaderChecksum));
    let crc = crc32c::crc32c(&later[..84]);
    later[84..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Header::decode(&later), Err(SegmentError::Version(2)));
}

#[test]
fn frames_end_at_the_end_or_at_zeroes() {
    let end = Header::LENGTH + 2 * FRAME_OVERHEAD + 6;
    for tail in [0, 1, 3, 4, 7, 8, 9, 4096, 9000] {
        let (records, offset, error) = read(&segment(5, &[b"one", b"two"], &vec![0; tail]));
        assert_eq!(records, [(5, b"one".to_vec()), (6, b"two".to_vec())]);
        assert_eq!((offset, error), (end, None));
    }
}

#[test]
fn a_dirty_tail_is_placed() {
    for dirty in [4, 5, 8, 4095, 4096, 8999] {
        let mut tail = vec![0; 9000];
        tail[dirty] = 1;
        let (records, offset, error) = read(&segment(5, &[b"one"], &tail));
        assert_eq!(records.len(), 1);
        assert_eq!(error, Some(SegmentError::DirtyTail { index: 6, offset: offset + dirty }));
    }
}

#[test]
fn a_torn_frame_is_placed() {
    let whole = segment(5, &[b"one", b"another"], &[]);
    let torn = Header::LENGTH + FRAME_OVERHEAD + 3;
    for length in torn + 1..whole.len() {
        let (records, offset, error) = read(&whole[..length]);
        assert_eq!((records.len(), offset), (1, torn));
        assert_eq!(error, Some(SegmentError::Torn { index: 6, offset: torn }), "length {length}");
        // The file system may have kept the length and lost the bytes.
        let zeroes = [&whole[..length], &vec![0; whole.len() - length][..]].concat();
        assert!(matches!(read(&zeroes).2, Some(SegmentError::Torn { index: 6, .. })), "length {length}");
    }
}

#[test]
fn lengths_are_limited() {
    let longest = vec![1; MAX_RECORD];
    assert_eq!(read(&segment(0, &[&longest], &[])).0.len(), 1);
    let mut over = header(0).encode().to_vec();
    over.extend_from_slice(&(MAX_RECORD as u32 + 1).to_le_bytes());
    over.resize(over.len() + MAX_RECORD + 100, 1);
    assert!(matches!(read(&over).2, Some(SegmentError::Torn { index: 0, .. })));
}

#[test]
#[should_panic(expected = "1 to 1048576 bytes")]
fn an_empty_record_is_never_framed() {
    append_frame(&mut Vec::new(), b"");
}

#[test]
fn indexes_end() {
    let (records, _, error) = read(&segment(u64::MAX, &[b"one"], &[]));
    assert!(records.is_empty());
    assert!(matches!(error, Some(SegmentError::Torn { index: u64::MAX, .. })));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Frames::new(&bytes);
        let file = [&header(1).encode()[..], &bytes].concat();
        let (_, end, error) = read(&file);
        prop_assert!(end <= file.len());
        prop_assert!(error.is_some() || file[end..].iter().all(|b| *b == 0));
    }

    #[test]
    fn what_was_framed_is_read(records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..20)) {
        let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let file = segment(100, &slices, &[0; 16]);
        let (read, end, error) = read(&file);
        prop_assert_eq!(error, None);
        prop_assert_eq!(end + 16, file.len());
        prop_assert!(read.iter().map(|(index, _)| *index).eq(100..100 + records.len() as u64));
        prop_assert!(read.into_iter().map(|(_, record)| record).eq(records));
    }
}
