//! Where a restored key comes from: nobody makes a generated key of one that they know.

use chancery_ipc::{
    Attest, FaultReason, KeyAlgorithm as A, KeyOrigin as O, KeyProtection, KeyPurpose as P, KeyRef, Mechanism as M,
    Rewrap, TransportKeyCreated, TransportUse, request::Verb, response::Result as Reply,
};
use chancery_transfer::{
    backup::{self, Backup, Entry},
    statement::{Origin, Statement},
};
use sha2::{Digest, Sha256};

use crate::{backup::*, harness::*, parties::*};

/// What an officer knows, and restores.
const KNOWN: [u8; 32] = [9; 32];

/// A backup that no enclave made, of a key that is known, written as a deployment's.
fn written(deployment: &str, custodians: &Custodians, origin: &str) -> Kept {
    let requested = &custodians.requested;
    let custodians: Vec<_> = requested.iter().map(|one| (one.principal.as_str(), one.public_key.as_slice())).collect();
    let (header, mut sealer) = backup::begin(&Backup {
        deployment,
        organization: "org1",
        backup: BACKUP,
        time_unix_millis: 1_700_000_000_000,
        log_size: 42,
        threshold: 1,
        custodians: &custodians,
    })
    .unwrap();
    let entry = Entry {
        version: &version(1),
        algorithm: "hmac-sha256",
        purpose: "mac",
        origin,
        public_key_sha256: &Sha256::digest([]).into(),
        secret: &KNOWN,
    };
    let entries = vec![sealer.seal(&entry).unwrap()];
    Kept { header, entries, trailer: sealer.finish(&STATES) }
}

fn known(origin: O) -> Made {
    let key = KeyRef {
        version: version(1),
        public_key_sha256: Sha256::digest([]).to_vec(),
        algorithm: A::HmacSha256.into(),
        purpose: P::Mac.into(),
        origin: origin.into(),
        protection: KeyProtection::Enclave.into(),
        wrapped: Vec::new(),
    };
    Made { key, public_key: Vec::new(), wrapped: Vec::new() }
}

/// The only key of a backup, as the service asks for it.
fn restore(enclave: &mut Enclave, kept: &Kept, people: &Custodians, to: &TransportKeyCreated, asked: &Made) -> Reply {
    let sent = shares(kept, people, &[0], to);
    let reply = enclave.call(begin_restore(kept, to, sent));
    assert!(matches!(reply, Reply::RestoreBegun(_)), "{reply:?}");
    let reply = enclave.call(restore_key(&kept.entries[0], asked, 1));
    let trailer = if matches!(reply, Reply::KeyRestored(_)) { &kept.trailer[..] } else { &[] };
    let ended = enclave.call(end_restore(trailer, STATES));
    assert!(matches!(ended, Reply::RestoreEnded(_)), "{ended:?}");
    reply
}

fn attested(enclave: &mut Enclave, made: &Made) -> Result<Origin, FaultReason> {
    let key = KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
    match enclave.call(Verb::Attest(Attest { key, nonce: Vec::new() })) {
        Reply::Attested(said) => match Statement::parse(&said.statement).unwrap() {
            Statement::Key(statement) => Ok(statement.origin),
            other => panic!("{other:?}"),
        },
        Reply::Fault(fault) => Err(fault.reason()),
        other => panic!("{other:?}"),
    }
}

/// Whoever knows enough shares writes any header: also that of this deployment.
#[test]
fn a_key_that_an_officer_knows_is_never_attested_as_generated() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    let people = custodians(&host, 1);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Restore);
    for deployment in ["elsewhere", DEPLOYMENT] {
        for (written_as, becomes) in [
            ("generated", Some(O::Restored)),
            ("restored", Some(O::Restored)),
            ("imported", Some(O::Imported)),
            ("", None),
        ] {
            let kept = written(deployment, &people, written_as);
            for asked in [O::Unspecified, O::Generated, O::Imported, O::Restored] {
                let mut made = known(asked);
                let reply = restore(&mut enclave, &kept, &people, &transport, &made);
                let Reply::KeyRestored(restored) = reply else {
                    let Reply::Fault(fault) = reply else { panic!("{reply:?}") };
                    assert_eq!(fault.reason(), FaultReason::KeyMismatch, "{written_as} {asked:?}: {fault:?}");
                    assert_ne!(becomes, Some(asked), "{written_as}");
                    continue;
                };
                assert_eq!(becomes, Some(asked), "{written_as}");
                made.wrapped = restored.wrapped;
                let origin = if asked == O::Imported { Origin::Imported } else { Origin::Restored };
                assert_eq!(attested(&mut enclave, &made), Ok(origin), "{deployment} {written_as}");
                enclave.use_key(&made, M::HmacSha256, MESSAGE, &[]);
                enclave.call(Verb::CloseKey(chancery_ipc::CloseKey { version: version(1) }));
            }
        }
    }
}

#[test]
fn wrapped_anew_or_backed_up_again_it_stays_restored() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(1);
    enclave.ensure_kek(1);
    enclave.ensure_kek(2);
    let people = custodians(&host, 1);
    let transport = transport_key(&mut enclave, "org1", TransportUse::Restore);
    let mut made = known(O::Restored);
    let kept = written("elsewhere", &people, "generated");
    let Reply::KeyRestored(restored) = restore(&mut enclave, &kept, &people, &transport, &made) else { panic!() };
    made.wrapped = restored.wrapped;

    let rewrap = |made: &Made| {
        let key = KeyRef { wrapped: made.wrapped.clone(), ..made.key.clone() };
        Verb::Rewrap(Rewrap { key, kek_generation: 2 })
    };
    let posing = Made { wrapped: made.wrapped.clone(), ..known(O::Generated) };
    enclave.refused(rewrap(&posing), FaultReason::Tampered);
    assert_eq!(attested(&mut enclave, &posing), Err(FaultReason::Tampered));
    let Reply::Rewrapped(rewrapped) = enclave.call(rewrap(&made)) else { panic!() };
    made.wrapped = rewrapped.wrapped;
    assert_eq!(attested(&mut enclave, &made), Ok(Origin::Restored));

    let again = back_up(&mut enclave, BACKUP, 1, &people, &[made.clone()]);
    let reply = restore(&mut enclave, &again, &people, &transport, &known(O::Generated));
    assert!(matches!(&reply, Reply::Fault(fault) if fault.reason() == FaultReason::KeyMismatch), "{reply:?}");
    let Reply::KeyRestored(restored) = restore(&mut enclave, &again, &people, &transport, &made) else { panic!() };
    made.wrapped = restored.wrapped;
    assert_eq!(attested(&mut enclave, &made), Ok(Origin::Restored));
}
