//! Backups from end to end, and everything that may be wrong with one.
#![forbid(unsafe_code)]

mod fixture;

use chancery_transfer::backup::file::{Frame, MAGIC, Reader, Writer};
use chancery_transfer::backup::{BackupError, EntryHead, Header, Opener, Trailer, custody};
use chancery_transfer::envelope::{EnvelopeError, PrivateKey};
use chancery_transfer::shares::{Share, SharesError};
use fixture::{ALGORITHM, Made, STATES, custodian_names, made, shares_of, version};
use proptest::prelude::*;

/// Opens every entry of `made` with its shares, and the seal.
fn open(made: &Made, shares: &[Share]) -> Result<Vec<Vec<u8>>, BackupError> {
    let (_, mut opener) = Opener::open(&made.header, shares)?;
    let secrets = made.entries.iter().map(|entry| opener.entry(entry).map(|entry| entry.secret.to_vec()));
    let secrets = secrets.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(opener.finish(&made.trailer, &made.states_sha256)?, made.entries.len() as u64);
    Ok(secrets)
}

#[test]
fn any_threshold_of_custodians_restores_every_key() {
    for (threshold, count) in [(1, 1), (1, 3), (2, 2), (2, 3), (3, 5), (16, 16)] {
        let made = made("a", threshold, count);
        for first in 0..=count - threshold {
            let chosen: Vec<_> = (first..first + threshold).collect();
            let secrets = open(&made, &shares_of(&made, &chosen)).unwrap();
            assert_eq!(secrets, made.secrets, "{threshold} of {count}, from {first}");
        }
        let all: Vec<_> = (0..count).rev().collect();
        assert_eq!(open(&made, &shares_of(&made, &all)).unwrap(), made.secrets, "all shares, in another order");
    }
}

#[test]
fn an_entry_says_what_it_is() {
    let made = made("a", 1, 1);
    let (header, mut opener) = Opener::open(&made.header, &shares_of(&made, &[0])).unwrap();
    assert_eq!((header.deployment.as_str(), header.organization.as_str()), ("deployment-a", "org1"));
    assert_eq!((header.threshold(), header.log_size, header.time_unix_millis), (1, 42, 1_700_000_000_000));
    let entry = opener.entry(&made.entries[0]).unwrap().head;
    assert_eq!(EntryHead::decode(0, &made.entries[0]), Ok(entry.clone()));
    assert_eq!((entry.index, entry.version.as_str()), (0, version(0).as_str()));
    assert_eq!(
        (entry.algorithm.as_str(), entry.purpose.as_str(), entry.origin.as_str()),
        (ALGORITHM, "sign", "generated")
    );
    assert_eq!(entry.public_key_sha256, [0; 32]);
}

#[test]
fn fewer_shares_than_the_threshold_open_nothing() {
    let made = made("a", 3, 5);
    for chosen in [&[][..], &[0], &[1, 4]] {
        let opened = open(&made, &shares_of(&made, chosen));
        assert_eq!(opened, Err(BackupError::Shares(SharesError::TooFew { given: chosen.len(), needed: 3 })));
    }
}

#[test]
fn one_share_twice_is_one_share() {
    let made = made("a", 2, 3);
    let custodian = custodian_names()[1].clone();
    assert_eq!(open(&made, &shares_of(&made, &[1, 1])), Err(BackupError::ShareTwice { custodian }));
}

#[test]
fn a_share_of_another_backup_is_named_by_its_custodian() {
    let (one, other) = (made("a", 2, 3), made("b", 2, 3));
    let mut shares = shares_of(&one, &[0]);
    shares.extend(shares_of(&other, &[1]));
    let custodian = custodian_names()[1].clone();
    assert_eq!(open(&one, &shares), Err(BackupError::WrongShare { custodian: custodian.clone() }));

    let mut enough = shares_of(&one, &[0, 2]);
    enough.extend(shares_of(&other, &[1]));
    assert_eq!(open(&one, &enough), Err(BackupError::WrongShare { custodian }), "also where it is not needed");
}

#[test]
fn a_share_that_nobody_has_is_refused() {
    let (few, many) = (made("a", 1, 2), made("b", 1, 3));
    assert_eq!(open(&few, &shares_of(&many, &[2])), Err(BackupError::NoSuchCustodian { number: 3 }));
}

#[test]
fn a_changed_share_is_found() {
    let made = made("a", 2, 2);
    let shares = shares_of(&made, &[0, 1]);
    for at in 1..33 {
        let mut bytes = shares[0].to_bytes().to_vec();
        bytes[at] ^= 1;
        let Ok(changed) = Share::from_bytes(&bytes) else { continue };
        let second = Share::from_bytes(&shares[1].to_bytes()[..]).unwrap();
        let custodian = custodian_names()[0].clone();
        assert_eq!(open(&made, &[changed, second]), Err(BackupError::WrongShare { custodian }), "byte {at}");
    }
}

#[test]
fn every_changed_byte_of_a_header_is_found() {
    let made = made("a", 1, 1);
    let shares = shares_of(&made, &[0]);
    for at in 0..made.header.len() {
        let mut changed = made.header.clone();
        changed[at] ^= 0x01;
        let opened = Opener::open(&changed, &shares);
        assert!(opened.is_err(), "byte {at} of the header was changed: {:?}", opened.map(|(header, _)| header));
    }
}

#[test]
fn every_changed_byte_of_an_entry_is_found() {
    let made = made("a", 1, 1);
    let shares = shares_of(&made, &[0]);
    for at in 0..made.entries[0].len() {
        let mut entry = made.entries[0].clone();
        entry[at] ^= 0x01;
        let (_, mut opener) = Opener::open(&made.header, &shares).unwrap();
        let opened = opener.entry(&entry);
        assert!(opened.is_err(), "byte {at} of the entry was changed: {opened:?}");
    }
}

#[test]
fn every_changed_byte_of_a_trailer_is_found() {
    let made = made("a", 1, 1);
    let shares = shares_of(&made, &[0]);
    for at in 0..made.trailer.len() {
        let mut changed = Made { trailer: made.trailer.clone(), ..made.clone() };
        changed.trailer[at] ^= 0x01;
        assert!(open(&changed, &shares).is_err(), "byte {at} of the trailer was changed");
    }
}

#[test]
fn entries_open_in_their_own_place_only() {
    let made = made("a", 1, 1);
    let shares = shares_of(&made, &[0]);
    let mut swapped = made.clone();
    swapped.entries.swap(0, 1);
    assert_eq!(open(&swapped, &shares), Err(BackupError::Entry { index: 0 }));

    let mut doubled = made.clone();
    doubled.entries.insert(1, made.entries[0].clone());
    assert_eq!(open(&doubled, &shares), Err(BackupError::Entry { index: 1 }));

    let mut first_gone = made.clone();
    first_gone.entries.remove(0);
    assert_eq!(open(&first_gone, &shares), Err(BackupError::Entry { index: 0 }));

    let mut last_gone = made.clone();
    last_gone.entries.pop();
    assert_eq!(open(&last_gone, &shares), Err(BackupError::Seal));
}

#[test]
fn entries_of_another_backup_do_not_open() {
    let (one, other) = (made("a", 1, 1), made("a", 1, 1));
    let mixed = Made { entries: other.entries.clone(), ..one.clone() };
    assert_eq!(open(&mixed, &shares_of(&one, &[0])), Err(BackupError::Entry { index: 0 }));
    let mixed = Made { trailer: other.trailer.clone(), ..one.clone() };
    assert_eq!(open(&mixed, &shares_of(&one, &[0])), Err(BackupError::Seal));
}

#[test]
fn states_are_sealed_with_the_entries() {
    let made = made("a", 1, 1);
    let changed = Made { states_sha256: [9; 32], ..made.clone() };
    assert_eq!(open(&changed, &shares_of(&made, &[0])), Err(BackupError::Seal));
    assert_eq!(Trailer::decode(&made.trailer).unwrap().states_sha256, made.states_sha256);
}

#[test]
fn a_stranger_is_no_custodian() {
    let made = made("a", 1, 1);
    let header = Header::decode(&made.header).unwrap();
    let opened = custody::open_share(&header, &PrivateKey::generate());
    assert!(matches!(opened, Err(BackupError::NotACustodian { .. })), "{opened:?}");
}

#[test]
fn a_share_reaches_only_the_deployment_it_was_sealed_for() {
    let made = made("a", 1, 1);
    let share = shares_of(&made, &[0]).remove(0);
    let transport = PrivateKey::generate();
    let to = custody::Destination {
        deployment: "deployment-b",
        transport_key: &[7; 16],
        public_key: &transport.public_key().to_bytes(),
    };
    let sealed = custody::seal_share(&share, "organizations/org1/backups/a", &to).unwrap();
    let receive = |deployment, backup, id: &[u8]| custody::receive_share(&transport, deployment, backup, id, &sealed);
    let received = receive("deployment-b", "organizations/org1/backups/a", &[7; 16]).unwrap();
    assert_eq!(received.to_bytes(), share.to_bytes());

    let refused = BackupError::Envelope(EnvelopeError::Opening);
    for (deployment, backup, id) in [
        ("deployment-a", "organizations/org1/backups/a", [7; 16]),
        ("deployment-b", "organizations/org1/backups/b", [7; 16]),
        ("deployment-b", "organizations/org1/backups/a", [8; 16]),
    ] {
        assert_eq!(receive(deployment, backup, &id).unwrap_err(), refused, "{deployment} {backup} {id:?}");
    }
}

#[test]
fn a_header_needs_custodians_that_differ_and_can_reach_the_threshold() {
    use chancery_transfer::backup::{Backup, begin};
    let keys = fixture::custodian_keys();
    let spki: Vec<_> = keys.iter().map(fixture::spki).collect();
    let backup = |threshold, custodians: &[(&str, &[u8])]| {
        begin(&Backup {
            deployment: "d",
            organization: "org1",
            backup: "organizations/org1/backups/a",
            time_unix_millis: 0,
            log_size: 0,
            threshold,
            custodians,
        })
        .map(|_| ())
    };
    assert!(backup(2, &[("a", &spki[0]), ("b", &spki[1])]).is_ok());
    assert!(matches!(backup(0, &[("a", &spki[0])]), Err(BackupError::Shares(SharesError::Threshold { .. }))));
    assert!(matches!(backup(2, &[("a", &spki[0])]), Err(BackupError::Shares(SharesError::Threshold { .. }))));
    let seventeen: Vec<(&str, &[u8])> = (0..17).map(|_| ("a", spki[0].as_slice())).collect();
    assert!(matches!(backup(2, &seventeen), Err(BackupError::Shares(SharesError::Threshold { .. }))));
    assert!(matches!(backup(1, &[("a", &spki[0]), ("b", &spki[0])]), Err(BackupError::Header(_))));
    assert!(matches!(backup(1, &[("a", &spki[0]), ("a", &spki[1])]), Err(BackupError::Header(_))));
    assert!(matches!(backup(1, &[("", &spki[0])]), Err(BackupError::Header(_))));
    assert!(matches!(backup(1, &[("a", b"no key")]), Err(BackupError::Envelope(EnvelopeError::PublicKey))));
}

/// The file of a backup.
fn file(made: &Made) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::begin(&made.header, &mut out).unwrap();
    for (state, entry) in STATES.iter().zip(&made.entries) {
        writer.state(state, &mut out).unwrap();
        writer.entry(entry, &mut out).unwrap();
    }
    assert_eq!(writer.states_sha256(), made.states_sha256);
    writer.finish(&made.trailer, &mut out).unwrap();
    out
}

fn read(chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<(Vec<Frame>, [u8; 32]), BackupError> {
    let mut reader = Reader::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        reader.extend(chunk.as_ref());
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
    }
    reader.finish()?;
    Ok((frames, reader.states_sha256()))
}

#[test]
fn a_file_gives_back_what_was_written_however_it_is_cut() {
    let made = made("a", 1, 1);
    let file = file(&made);
    for size in [1, 7, 100, file.len()] {
        let (frames, states) = read(file.chunks(size)).unwrap();
        assert_eq!(states, made.states_sha256);
        assert_eq!(frames.first(), Some(&Frame::Header(made.header.clone())));
        assert_eq!(frames.last(), Some(&Frame::Trailer(made.trailer.clone())));
        assert_eq!(frames.len(), 2 + 2 * made.entries.len());
        assert_eq!(frames[2], Frame::Entry(made.entries[0].clone()));
    }
}

#[test]
fn a_cut_or_lengthened_file_is_refused() {
    let file = file(&made("a", 1, 1));
    for length in 0..file.len() {
        assert!(read([&file[..length]].into_iter()).is_err(), "cut to {length} bytes");
    }
    for tail in [&b"T"[..], b"T\0\0\0\0", b"S\0\0\0\x01x"] {
        let longer = [&file, tail].concat();
        assert_eq!(read([longer].into_iter()), Err(BackupError::File("bytes follow its trailer")));
    }
}

#[test]
fn a_length_over_the_limit_is_refused_before_it_is_buffered() {
    for kind in *b"HSET" {
        let mut bytes = MAGIC.to_vec();
        if kind != b'H' {
            bytes.extend_from_slice(b"H\0\0\0\0");
        }
        bytes.extend_from_slice(&[kind, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(read([bytes].into_iter()), Err(BackupError::File("a part is longer than the format allows")));
    }
}

#[test]
fn the_parts_of_a_file_come_in_their_order() {
    for parts in [&b"S\0\0\0\0"[..], b"E\0\0\0\0", b"T\0\0\0\0", b"H\0\0\0\0H\0\0\0\0", b"H\0\0\0\0X\0\0\0\0"] {
        assert!(read([[MAGIC, parts].concat()].into_iter()).is_err(), "{parts:?}");
    }
}

proptest! {
    #[test]
    fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Header::decode(&bytes).is_err());
        prop_assert!(Trailer::decode(&bytes).is_err());
        prop_assert!(EntryHead::decode(0, &bytes).is_err());
        prop_assert!(read([&bytes].into_iter()).is_err());
    }
}
