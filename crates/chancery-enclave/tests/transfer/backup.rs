//! Backups of one token are restored on another, by enough custodians and by nobody else.

use chancery_ipc::{
    BackUpKey, BeginBackup, BeginRestore, Custodian, EndBackup, EndRestore, FaultReason, KeyAlgorithm as A, KeyOrigin,
    KeyProtection, KeyPurpose as P, KeyRef, Mechanism as M, RestoreKey, TransportKeyCreated, TransportUse,
    request::Verb, response::Result as Reply,
};
use chancery_transfer::{
    backup::{EntryHead, Header, custody},
    envelope::PrivateKey,
};

use crate::{harness::*, parties::*};

pub(crate) const BACKUP: &str = "organizations/org1/backups/weekly";

/// Who keeps shares, and their keys, which openssl made.
pub(crate) struct Custodians {
    pub(crate) keys: Vec<PrivateKey>,
    pub(crate) requested: Vec<Custodian>,
}

pub(crate) fn custodians(host: &Host, count: usize) -> Custodians {
    let (mut keys, mut requested) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (pkcs8, public_key) = made_by_openssl(host.dir.path(), PAIRS[0].2);
        keys.push(PrivateKey::from_der(&pkcs8).unwrap());
        requested.push(Custodian { principal: format!("organizations/org1/principals/officer{number}"), public_key });
    }
    Custodians { keys, requested }
}

fn begin(backup: &str, threshold: u32, custodians: &Custodians) -> Verb {
    let custodians = custodians.requested.clone();
    Verb::BeginBackup(BeginBackup { backup: backup.into(), threshold, custodians, log_size: 42 })
}

/// A backup as the service keeps it.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) header: Vec<u8>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) trailer: Vec<u8>,
}

pub(crate) const STATES: [u8; 32] = [5; 32];

pub(crate) fn back_up(
    enclave: &mut Enclave,
    backup: &str,
    threshold: u32,
    custodians: &Custodians,
    keys: &[Made],
) -> Kept {
    let reply = enclave.call(begin(backup, threshold, custodians));
    let Reply::BackupBegun(begun) = reply else { panic!("{reply:?}") };
    let mut entries = Vec::new();
    for made in keys {
        let key = KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
        let reply = enclave.call(Verb::BackUpKey(BackUpKey { backup: backup.into(), key }));
        let Reply::KeyBackedUp(backed_up) = reply else { panic!("{reply:?}") };
        assert_eq!(backed_up.version, made.key.version);
        assert_eq!(EntryHead::decode(0, &backed_up.entry).unwrap().version, made.key.version);
        entries.push(backed_up.entry);
    }
    let end = EndBackup { backup: backup.into(), states_sha256: STATES.to_vec(), abandoned: false };
    let reply = enclave.call(Verb::EndBackup(end));
    let Reply::BackupEnded(ended) = reply else { panic!("{reply:?}") };
    Kept { header: begun.header, entries, trailer: ended.trailer }
}

/// What custodians of these numbers send to the deployment that restores.
pub(crate) fn shares(
    kept: &Kept,
    custodians: &Custodians,
    numbers: &[usize],
    to: &TransportKeyCreated,
) -> Vec<Vec<u8>> {
    let header = Header::decode(&kept.header).unwrap();
    let destination =
        custody::Destination { deployment: DEPLOYMENT, transport_key: &to.id, public_key: &to.public_key };
    let sealed = numbers.iter().map(|number| {
        let share = custody::open_share(&header, &custodians.keys[*number]).unwrap();
        custody::seal_share(&share, &header.backup, &destination).unwrap()
    });
    sealed.collect()
}

pub(crate) fn begin_restore(kept: &Kept, to: &TransportKeyCreated, shares: Vec<Vec<u8>>) -> Verb {
    Verb::BeginRestore(BeginRestore { transport_key: to.id.clone(), header: kept.header.clone(), shares })
}

pub(crate) fn restore_key(entry: &[u8], made: &Made, kek_generation: u64) -> Verb {
    Verb::RestoreKey(RestoreKey { backup: BACKUP.into(), entry: entry.into(), key: made.key.clone(), kek_generation })
}

/// As the service registers it once it was restored.
fn restored(made: &Made) -> Made {
    let origin = if made.key.origin() == KeyOrigin::Imported { KeyOrigin::Imported } else { KeyOrigin::Restored };
    Made { key: KeyRef { origin: origin.into(), ..made.key.clone() }, ..made.clone() }
}

pub(crate) fn end_restore(trailer: &[u8], states: [u8; 32]) -> Verb {
    Verb::EndRestore(EndRestore { backup: BACKUP.into(), trailer: trailer.into(), states_sha256: states.to_vec() })
}

#[test]
fn a_backup_of_one_token_is_restored_on_another() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let mut keys = vec![
        enclave.make_p256(&version(1)),
        enclave.make(wanted(&version(2), A::Sm2, P::Sign, KeyProtection::Enclave)),
        enclave.make(wanted(&version(3), A::Rsa2048, P::Sign, KeyProtection::Enclave)),
        enclave.make(wanted(&version(4), A::HmacSha256, P::Mac, KeyProtection::Enclave)),
        enclave.make(wanted(&version(5), A::MlDsa87, P::Sign, KeyProtection::Enclave)),
    ];
    let (pkcs8, _) = made_by_openssl(host.dir.path(), PAIRS[4].2);
    let ed25519 = (A::Ed25519, "ed25519");
    keys.push(import(&mut enclave, &version(6), ed25519, P::Sign, KeyProtection::Enclave, &pkcs8));
    let mac = enclave.use_key(&keys[3], M::HmacSha256, MESSAGE, &[]);
    let people = custodians(&host, 5);
    let kept = back_up(&mut enclave, BACKUP, 3, &people, &keys);
    let header = Header::decode(&kept.header).unwrap();
    assert_eq!((header.threshold(), header.custodians.len(), header.log_size), (3, 5, 42));
    enclave.kill();
    drop(host);

    // Another token, with a deployment of the same name: no key of the first is there.
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    enclave.ensure_kek(2);
    enclave.refused(keys[0].sign_opening(), FaultReason::Tampered);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Restore);
    let sent = shares(&kept, &people, &[4, 0, 2], &transport);
    let reply = enclave.call(begin_restore(&kept, &transport, sent.clone()));
    let Reply::RestoreBegun(begun) = reply else { panic!("{reply:?}") };
    assert_eq!(begun.backup, BACKUP);
    enclave.refused(begin_restore(&kept, &transport, sent), FaultReason::Busy);
    let mut back = Vec::new();
    for (number, (made, entry)) in keys.iter().zip(&kept.entries).enumerate() {
        // One key is a destroyed version, say: it is checked and not given back.
        let generation = if number == 2 { 0 } else { 2 };
        let made = restored(made);
        let reply = enclave.call(restore_key(entry, &made, generation));
        let Reply::KeyRestored(key) = reply else { panic!("{reply:?}") };
        assert_eq!((key.version.as_str(), key.wrapped.is_empty()), (made.key.version.as_str(), generation == 0));
        back.push(Made { wrapped: key.wrapped, ..made });
    }
    let reply = enclave.call(end_restore(&kept.trailer, STATES));
    let Reply::RestoreEnded(ended) = reply else { panic!("{reply:?}") };
    assert_eq!(ended.entries, 6);
    for number in [0, 1, 5] {
        works(&mut enclave, &back[number], &keys[number].public_key);
    }
    assert_eq!(enclave.use_key(&back[3], M::HmacSha256, MESSAGE, &[]), mac);
    assert_eq!(enclave.use_key(&back[4], M::MlDsa, MESSAGE, &[]).len(), 4627);
    enclave.refused(end_restore(&kept.trailer, STATES), FaultReason::BadRequest);
}

#[test]
fn only_enough_shares_of_this_backup_restore_it() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let keys = [enclave.make_p256(&version(1))];
    let people = custodians(&host, 3);
    let kept = back_up(&mut enclave, BACKUP, 2, &people, &keys);
    let other = back_up(&mut enclave, BACKUP, 2, &people, &keys);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Restore);
    let of = |kept: &Kept, numbers: &[usize]| shares(kept, &people, numbers, &transport);
    for too_few in [&[][..], &[1]] {
        let message = enclave.refused(begin_restore(&kept, &transport, of(&kept, too_few)), FaultReason::BadShares);
        assert!(message.contains("2 are needed"), "{message}");
    }
    let message = enclave.refused(begin_restore(&kept, &transport, of(&kept, &[1, 1])), FaultReason::BadShares);
    assert!(message.contains("officer1"), "{message}");
    let mixed = [of(&kept, &[0]), of(&other, &[2])].concat();
    let message = enclave.refused(begin_restore(&kept, &transport, mixed), FaultReason::BadShares);
    assert!(message.contains("officer2"), "{message}");
    let crowd = vec![of(&kept, &[0]).remove(0); 17];
    enclave.refused(begin_restore(&kept, &transport, crowd), FaultReason::BadShares);

    // Sealed to another transport key, changed, or not a share at all.
    let elsewhere = transport_key(&mut enclave, "org1", TransportUse::Restore);
    let sent = shares(&kept, &people, &[0, 1], &elsewhere);
    enclave.refused(begin_restore(&kept, &transport, sent), FaultReason::Tampered);
    let mut changed = of(&kept, &[0, 1]);
    changed[1][80] ^= 1;
    enclave.refused(begin_restore(&kept, &transport, changed), FaultReason::Tampered);
    enclave.refused(begin_restore(&kept, &transport, vec![vec![], vec![1]]), FaultReason::Tampered);

    // Another organization's transport key, one for imports, none.
    let sent = of(&kept, &[0, 1]);
    let foreign = transport_key(&mut enclave, "org2", TransportUse::Restore);
    enclave.refused(begin_restore(&kept, &foreign, sent.clone()), FaultReason::BadInput);
    let importing = transport_key(&mut enclave, "org1", TransportUse::Import);
    enclave.refused(begin_restore(&kept, &importing, sent.clone()), FaultReason::BadInput);
    let none = TransportKeyCreated { id: vec![3; 16], ..transport.clone() };
    enclave.refused(begin_restore(&kept, &none, sent.clone()), FaultReason::TransportKeyExpired);

    for at in (0..kept.header.len()).step_by(7) {
        let mut header = kept.header.clone();
        header[at] ^= 1;
        let changed = Kept { header, ..kept.clone() };
        let fault = enclave.fault(begin_restore(&changed, &transport, sent.clone()));
        let reason = fault.reason();
        let expected = [FaultReason::Tampered, FaultReason::BadShares, FaultReason::BadInput];
        assert!(expected.contains(&reason), "byte {at}: {fault:?}");
    }
    let reply = enclave.call(begin_restore(&kept, &transport, sent));
    assert!(matches!(reply, Reply::RestoreBegun(_)), "{reply:?}");
}

#[test]
fn entries_restore_in_their_order_as_the_keys_they_are() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let keys = [enclave.make_p256(&version(1)), enclave.make_p256(&version(2))];
    let people = custodians(&host, 1);
    let kept = back_up(&mut enclave, BACKUP, 1, &people, &keys);
    let other = back_up(&mut enclave, BACKUP, 1, &people, &keys);
    let keys = keys.map(|made| restored(&made));
    let transport = transport_key(&mut enclave, "org1", TransportUse::Restore);
    let begin = |enclave: &mut Enclave| {
        let sent = shares(&kept, &people, &[0], &transport);
        let reply = enclave.call(begin_restore(&kept, &transport, sent));
        assert!(matches!(reply, Reply::RestoreBegun(_)), "{reply:?}");
    };
    let give_up = |enclave: &mut Enclave| {
        let reply = enclave.call(end_restore(&[], [0; 32]));
        assert!(matches!(reply, Reply::RestoreEnded(_)), "{reply:?}");
    };
    enclave.refused(restore_key(&kept.entries[0], &keys[0], 1), FaultReason::BadRequest);
    begin(&mut enclave);
    enclave.refused(restore_key(&kept.entries[1], &keys[1], 1), FaultReason::Tampered);
    enclave.refused(restore_key(&other.entries[0], &keys[0], 1), FaultReason::Tampered);
    for at in 0..kept.entries[0].len() {
        let mut changed = kept.entries[0].clone();
        changed[at] ^= 1;
        enclave.refused(restore_key(&changed, &keys[0], 1), FaultReason::Tampered);
    }
    enclave.refused(restore_key(&kept.entries[0], &keys[0], 9), FaultReason::KekNotFound);
    // That entry was read: the next one is due, and the whole must be begun anew.
    give_up(&mut enclave);

    for change in [
        (|key| key.version = version(2)) as fn(&mut KeyRef),
        |key| key.algorithm = A::EcSecp256k1.into(),
        |key| key.purpose = P::Agree.into(),
        |key| key.origin = KeyOrigin::Imported.into(),
        |key| key.public_key_sha256 = vec![1; 32],
    ] {
        begin(&mut enclave);
        let mut another = keys[0].clone();
        change(&mut another.key);
        enclave.refused(restore_key(&kept.entries[0], &another, 1), FaultReason::KeyMismatch);
        give_up(&mut enclave);
    }

    // An entry left out, other states, another trailer.
    for (count, trailer, states) in
        [(1, &kept.trailer, STATES), (2, &kept.trailer, [6; 32]), (2, &other.trailer, STATES)]
    {
        begin(&mut enclave);
        for (made, entry) in keys.iter().zip(&kept.entries).take(count) {
            let reply = enclave.call(restore_key(entry, made, 1));
            assert!(matches!(reply, Reply::KeyRestored(_)), "{reply:?}");
        }
        enclave.refused(end_restore(trailer, states), FaultReason::Tampered);
    }
    begin(&mut enclave);
    let mut foreign = keys[0].clone();
    foreign.key.version = "organizations/org2/keys/key1/versions/1".into();
    enclave.refused(restore_key(&kept.entries[0], &foreign, 1), FaultReason::BadRequest);
    let in_token = KeyRef { protection: KeyProtection::Token.into(), ..keys[0].key.clone() };
    let in_token = Made { key: in_token, ..keys[0].clone() };
    enclave.refused(restore_key(&kept.entries[0], &in_token, 1), FaultReason::BadRequest);
    let reply = enclave.call(restore_key(&kept.entries[0], &keys[0], 1));
    assert!(matches!(reply, Reply::KeyRestored(_)), "{reply:?}");
}

#[test]
fn a_backup_takes_its_own_organizations_enclave_keys_only() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let ours = enclave.make_p256(&version(1));
    let token = enclave.make(wanted(&version(2), A::EcP256, P::Sign, KeyProtection::Token));
    let people = custodians(&host, 2);
    let back_up = |made: &Made, change: fn(&mut KeyRef)| {
        let mut key = KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
        change(&mut key);
        Verb::BackUpKey(BackUpKey { backup: BACKUP.into(), key })
    };
    enclave.refused(back_up(&ours, |_| {}), FaultReason::BadRequest);
    for (backup, threshold, count) in [
        ("organizations/org1/keys/a", 1, 2),
        ("organizations/org1/backups/", 1, 2),
        ("organizations/org1/backups/a/b", 1, 2),
        ("backups/a", 1, 2),
    ] {
        let people = Custodians { keys: Vec::new(), requested: people.requested[..count].to_vec() };
        enclave.refused(begin(backup, threshold, &people), FaultReason::BadRequest);
    }
    for (threshold, count) in [(0, 2), (3, 2), (1, 0)] {
        let people = Custodians { keys: Vec::new(), requested: people.requested[..count].to_vec() };
        enclave.refused(begin(BACKUP, threshold, &people), FaultReason::BadInput);
    }
    let mut no_key = Custodians { keys: Vec::new(), requested: people.requested.clone() };
    no_key.requested[1].public_key = vec![4; 65];
    enclave.refused(begin(BACKUP, 1, &no_key), FaultReason::BadInput);

    assert!(matches!(enclave.call(begin(BACKUP, 2, &people)), Reply::BackupBegun(_)));
    enclave.refused(begin("organizations/org1/backups/other", 2, &people), FaultReason::Busy);
    assert!(matches!(enclave.call(begin("organizations/org2/backups/other", 2, &people)), Reply::BackupBegun(_)));
    enclave.refused(back_up(&token, |_| {}), FaultReason::WrongUse);
    enclave.refused(back_up(&ours, |key| key.wrapped.clear()), FaultReason::KeyNotOpen);
    enclave.refused(back_up(&ours, |key| key.version = version(7)), FaultReason::Tampered);
    let foreign: fn(&mut KeyRef) = |key| key.version = "organizations/org2/keys/key1/versions/1".into();
    enclave.refused(back_up(&ours, foreign), FaultReason::BadRequest);
    let end = |abandoned, states: &[u8]| {
        Verb::EndBackup(EndBackup { backup: BACKUP.into(), states_sha256: states.into(), abandoned })
    };
    enclave.refused(end(false, &[1; 31]), FaultReason::BadRequest);
    let Reply::BackupEnded(ended) = enclave.call(end(true, &[])) else { panic!() };
    assert!(ended.trailer.is_empty());
    enclave.refused(back_up(&ours, |_| {}), FaultReason::BadRequest);
    enclave.refused(end(false, &STATES), FaultReason::BadRequest);
    assert!(matches!(enclave.call(begin(BACKUP, 2, &people)), Reply::BackupBegun(_)));
}
