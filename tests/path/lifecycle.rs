//! A version's life by request: what each change does to those who use the key, and what is refused.

use crate::shared::{call, client, create, creation, id, key, make, records_of, sign, signing};
use chancery_api::{
    reasons,
    v1::{
        ActivateKeyVersionRequest, Algorithm, CreateKeyRequest, DeactivateKeyVersionRequest, GetKeyRequest, Key,
        KeyState, KeyVersion, MarkKeyVersionCompromisedRequest, Protection, Purpose, RestoreKeyVersionRequest,
        RotateKeyRequest, ScheduleKeyVersionDestructionRequest, SuspendKeyVersionRequest,
    },
};
use chancery_client::{Client, ClientError, Code};
use prost_types::{Duration, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// A call of the API for one version, under a fresh id.
macro_rules! version_call {
    ($($name:ident = $request:ident),+ $(,)?) => {$(
        async fn $name(by: &Client, version: &str) -> Result<Key, ClientError> {
            call(by.keys().$name($request { name: version.into(), request_id: id() })).await
        }
    )+};
}

version_call! {
    activate_key_version = ActivateKeyVersionRequest,
    suspend_key_version = SuspendKeyVersionRequest,
    deactivate_key_version = DeactivateKeyVersionRequest,
    mark_key_version_compromised = MarkKeyVersionCompromisedRequest,
    restore_key_version = RestoreKeyVersionRequest,
    rotate_key = RotateKeyRequest,
}

async fn destroy(by: &Client, version: &str, seconds: i64, confirm: &str) -> Result<Key, ClientError> {
    let wait = Some(Duration { seconds, nanos: 0 });
    let (name, confirm) = (version.into(), confirm.into());
    let request = ScheduleKeyVersionDestructionRequest { name, request_id: id(), wait, confirm };
    call(by.keys().schedule_key_version_destruction(request)).await
}

fn version(key: &Key, number: usize) -> &KeyVersion {
    &key.versions[number - 1]
}

#[track_caller]
fn assert_refused(result: Result<Key, ClientError>, reason: &str, says: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reason), "{error:?}");
    for part in says {
        assert!(error.message.contains(part), "{part:?} is missing in {error:?}");
    }
}

/// With both protections: what is suspended signs nothing, and signs again when it is activated.
#[tokio::test]
async fn a_suspended_version_is_out_of_use_until_it_is_activated() {
    let (officer, owner) = (client("org1-security").await, client("org1-peer0").await);
    for protection in [Protection::Token, Protection::Enclave] {
        let name = key(&format!("suspended-{}", protection.as_str_name().to_lowercase()));
        let mut request = creation(&name, "peer0", Algorithm::EcP256);
        request.key.as_mut().unwrap().protection = protection.into();
        make(&officer, request).await;
        let first = format!("{name}/versions/1");
        sign(&owner, signing(&name, b"x")).await.unwrap();

        let suspended = suspend_key_version(&officer, &first).await.unwrap();
        assert_eq!(version(&suspended, 1).state(), KeyState::Suspended);
        let error = sign(&owner, signing(&name, b"y")).await.unwrap_err();
        assert_eq!((error.code, error.reason.as_deref()), (Code::FailedPrecondition, Some(reasons::WRONG_STATE)));
        assert_refused(
            suspend_key_version(&officer, &first).await,
            reasons::WRONG_STATE,
            &["SUSPENDED", "`suspend`", "`activate`, `deactivate`"],
        );
        assert_refused(rotate_key(&officer, &name).await, reasons::WRONG_STATE, &["SUSPENDED", "activate"]);

        let active = activate_key_version(&officer, &first).await.unwrap();
        assert_eq!(version(&active, 1).state(), KeyState::Active);
        sign(&owner, signing(&name, b"z")).await.unwrap();

        let ended = deactivate_key_version(&officer, &first).await.unwrap();
        assert_eq!(version(&ended, 1).state(), KeyState::Deactivated);
        assert!(sign(&owner, signing(&name, b"never again")).await.is_err());
        assert_refused(activate_key_version(&officer, &first).await, reasons::WRONG_STATE, &["DEACTIVATED"]);
    }
}

/// The record of a change says the state as it is afterwards, and the request's second try gets its first answer.
#[tokio::test]
async fn a_change_is_recorded_once_and_answered_again() {
    let officer = client("org1-security").await;
    let name = key("recorded-life");
    create(&name, "peer0", Algorithm::EcP256).await;
    let request = DeactivateKeyVersionRequest { name: format!("{name}/versions/1"), request_id: id() };
    let first = call(officer.keys().deactivate_key_version(request.clone())).await.unwrap();
    mark_key_version_compromised(&officer, &request.name).await.unwrap();
    let again = call(officer.keys().deactivate_key_version(request.clone())).await.unwrap();
    assert_eq!(again, first, "though it is COMPROMISED now");
    let now = call(officer.keys().get_key(GetKeyRequest { name: name.clone() })).await.unwrap();
    assert_eq!(version(&now, 1).state(), KeyState::Compromised);
    assert!(version(&now, 1).compromised_time.is_some());

    let records = records_of(&name).await;
    let changes: Vec<_> = records.iter().filter(|record| record.request_id == request.request_id).collect();
    assert_eq!(changes.len(), 2, "the change, and that its answer was given again");
    assert_eq!((changes[0].action.as_str(), changes[0].states.len()), ("DeactivateKeyVersion", 1));
    assert!(changes[1].states.is_empty());
}

#[tokio::test]
async fn a_destruction_is_scheduled_called_off_and_named_twice_for_an_authority() {
    let officer = client("org1-security").await;
    let name = key("ending");
    let mut request = creation(&name, "ca", Algorithm::EcP256);
    request.key.as_mut().unwrap().purpose = Purpose::Certify.into();
    make(&officer, request).await;
    let first = format!("{name}/versions/1");
    let day = 24 * 3600;

    for seconds in [-1, 121 * day] {
        assert_refused(destroy(&officer, &first, seconds, "").await, reasons::INVALID_ARGUMENT, &["wait"]);
    }
    assert_refused(destroy(&officer, &first, day, "").await, reasons::CONFIRMATION_NEEDED, &["confirm", &first]);
    assert_refused(destroy(&officer, &first, day, &name).await, reasons::INVALID_ARGUMENT, &[&first]);
    let ending = destroy(&officer, &first, day, &first).await.unwrap();
    let scheduled = version(&ending, 1);
    assert_eq!(scheduled.state(), KeyState::Deactivated);
    let due = scheduled.destroy_time.unwrap().seconds - now();
    assert!((day - 60..=day + 60).contains(&due), "due in {due} s");
    assert_refused(
        activate_key_version(&officer, &first).await,
        reasons::WRONG_STATE,
        &["destruction scheduled", "`restore`"],
    );
    let restored = restore_key_version(&officer, &first).await.unwrap();
    assert_eq!((version(&restored, 1).state(), version(&restored, 1).destroy_time), (KeyState::Deactivated, None));
    assert_refused(restore_key_version(&officer, &first).await, reasons::WRONG_STATE, &["`schedule destruction`"]);
}

/// Dates count by the clock at each use, and a rotation sets one for the version that was primary.
#[tokio::test]
async fn a_version_is_used_from_its_first_day_to_its_last() {
    let (officer, owner) = (client("org1-security").await, client("org1-peer0").await);
    let name = key("dated");
    let begins = now() + 3600;
    let request = CreateKeyRequest {
        activate_time: Some(Timestamp { seconds: begins, nanos: 0 }),
        expire_time: Some(Timestamp { seconds: begins + 3600, nanos: 0 }),
        ..creation(&name, "peer0", Algorithm::EcP256)
    };
    let made = make(&officer, request).await;
    assert_eq!(version(&made, 1).state(), KeyState::PreActive);
    assert!(sign(&owner, signing(&name, b"early")).await.is_err());
    assert_refused(rotate_key(&officer, &name).await, reasons::WRONG_STATE, &["PRE_ACTIVE"]);
    let first = format!("{name}/versions/1");
    assert_refused(activate_key_version(&owner, &first).await, reasons::WRONG_STATE, &["officer"]);
    activate_key_version(&officer, &first).await.unwrap();
    sign(&owner, signing(&name, b"in time")).await.unwrap();

    let past = CreateKeyRequest {
        expire_time: Some(Timestamp { seconds: now() - 1, nanos: 0 }),
        ..creation(&key("dated-wrong"), "peer0", Algorithm::EcP256)
    };
    let error = call(officer.keys().create_key(past)).await.unwrap_err();
    assert!(error.message.contains("expire_time") && error.message.contains("future"), "{error:?}");

    let name = key("overlapped");
    let mut request = creation(&name, "peer0", Algorithm::EcP256);
    request.key.as_mut().unwrap().overlap = Some(Duration { seconds: 1, nanos: 0 });
    make(&officer, request).await;
    let rotated = rotate_key(&officer, &name).await.unwrap();
    assert!(version(&rotated, 1).expire_time.is_some() && version(&rotated, 2).expire_time.is_none());
    let first = format!("{name}/versions/1");
    let ends = version(&rotated, 1).expire_time.unwrap();
    while SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() <= nanos(ends) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let error = sign(&owner, signing(&first, b"late")).await.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reasons::WRONG_STATE), "{error:?}");
    sign(&owner, signing(&name, b"by the new one")).await.unwrap();
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

fn nanos(time: Timestamp) -> u128 {
    u128::try_from(time.seconds).unwrap() * 1_000_000_000 + u128::try_from(time.nanos).unwrap()
}
