//! Who acts on keys in these tests, and how they ask.

use crate::{
    harness::Deployment,
    shared::{call, creation, id, make, sign, signing},
};
use chancery_api::v1::{
    ActivateKeyVersionRequest, Algorithm, CreateKeyRequest, DeactivateKeyVersionRequest, GetKeyRequest, Key, KeyState,
    KeyVersion, MarkKeyVersionCompromisedRequest, Protection, RestoreKeyVersionRequest, RotateKeyRequest,
    ScheduleKeyVersionDestructionRequest, SignResponse, SuspendKeyVersionRequest, UpdateKeyRequest, VerifyRequest,
    sign_request, verify_request,
};
use chancery_client::{Client, ClientError};
use prost_types::{Duration as WireDuration, FieldMask, Timestamp};
use std::time::{Duration, Instant, SystemTime};

/// What nothing here takes longer than, on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// A waiting period that no test sees the end of.
pub const LONG: i64 = 10 * 24 * 3600;

/// What an officer makes happen to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Activate,
    Suspend,
    Deactivate,
    Compromise,
    /// So many seconds from now.
    Destroy(i64),
    Restore,
}

/// The officer who leads keys through their life, and the peer who owns and uses them.
pub struct Parties {
    pub officer: Client,
    pub peer: Client,
}

/// So many seconds from now.
pub fn from_now(seconds: i64) -> Timestamp {
    let mut time = Timestamp::from(SystemTime::now());
    time.seconds += seconds;
    time
}

pub fn duration(seconds: i64) -> Option<WireDuration> {
    Some(WireDuration { seconds, nanos: 0 })
}

/// A version's full name.
pub fn version(key: &str, number: u64) -> String {
    format!("{key}/versions/{number}")
}

/// To make a SIGN key on P-256 of org1's peer0.
pub fn signer(name: &str, protection: Protection) -> CreateKeyRequest {
    let mut request = creation(name, "peer0", Algorithm::EcP256);
    request.key.as_mut().unwrap().protection = protection.into();
    request
}

/// Fails unless the error has this reason; what it says.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, reason: &str) -> String {
    let error = answer.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reason), "{error}");
    error.message
}

impl Parties {
    pub async fn of(deployment: &Deployment) -> Self {
        Self { officer: deployment.client("org1-security").await, peer: deployment.client("org1-peer0").await }
    }

    /// Makes a SIGN key on P-256.
    pub async fn make(&self, name: &str, protection: Protection) -> Key {
        make(&self.officer, signer(name, protection)).await
    }

    pub async fn key(&self, name: &str) -> Key {
        call(self.officer.keys().get_key(GetKeyRequest { name: name.into() })).await.unwrap()
    }

    pub async fn version(&self, name: &str) -> KeyVersion {
        let (key, _) = name.split_once("/versions/").unwrap();
        let key = self.key(key).await;
        key.versions.into_iter().find(|version| version.name == name).unwrap_or_else(|| panic!("{name} is gone"))
    }

    /// Makes an event happen.
    pub async fn cause(&self, event: Event, version: &str) -> Result<Key, ClientError> {
        let (mut keys, name, request_id) = (self.officer.keys(), version.to_owned(), id());
        match event {
            Event::Activate => call(keys.activate_key_version(ActivateKeyVersionRequest { name, request_id })).await,
            Event::Suspend => call(keys.suspend_key_version(SuspendKeyVersionRequest { name, request_id })).await,
            Event::Deactivate => {
                call(keys.deactivate_key_version(DeactivateKeyVersionRequest { name, request_id })).await
            }
            Event::Compromise => {
                let request = MarkKeyVersionCompromisedRequest { name, request_id };
                call(keys.mark_key_version_compromised(request)).await
            }
            Event::Destroy(seconds) => {
                let (wait, confirm) = (duration(seconds), String::new());
                let request = ScheduleKeyVersionDestructionRequest { name, request_id, wait, confirm };
                call(keys.schedule_key_version_destruction(request)).await
            }
            Event::Restore => call(keys.restore_key_version(RestoreKeyVersionRequest { name, request_id })).await,
        }
    }

    pub async fn rotate(&self, key: &str) -> Result<Key, ClientError> {
        call(self.officer.keys().rotate_key(RotateKeyRequest { name: key.into(), request_id: id() })).await
    }

    pub async fn update(&self, key: Key, paths: &[&str]) -> Result<Key, ClientError> {
        let mask = FieldMask { paths: paths.iter().map(ToString::to_string).collect() };
        let request = UpdateKeyRequest { key: Some(key), update_mask: Some(mask), request_id: id() };
        call(self.officer.keys().update_key(request)).await
    }

    /// Signs a message's SHA-256 with a key or a version.
    pub async fn sign(&self, name: &str, message: &[u8]) -> Result<SignResponse, ClientError> {
        sign(&self.peer, signing(name, message)).await
    }

    pub async fn verifies(&self, name: &str, message: &[u8], signature: &[u8]) -> bool {
        let Some(sign_request::Input::Digest(digest)) = signing(name, message).input else { unreachable!() };
        let request = VerifyRequest {
            name: name.into(),
            input: Some(verify_request::Input::Digest(digest)),
            signature: signature.to_vec(),
            ..VerifyRequest::default()
        };
        call(self.peer.signing().verify(request)).await.unwrap().valid
    }

    /// Waits until a key is as it must become.
    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Key) -> bool) -> Key {
        let start = Instant::now();
        loop {
            let key = self.key(name).await;
            if holds(&key) {
                return key;
            }
            assert!(start.elapsed() < PATIENCE, "{name}: {what}: {key:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a version is in a state.
    pub async fn until_state(&self, name: &str, state: KeyState) -> KeyVersion {
        let (key, _) = name.split_once("/versions/").unwrap();
        let of = |key: &Key| key.versions.iter().find(|version| version.name == name).cloned().unwrap();
        of(&self.until(key, state.as_str_name(), |key| of(key).state() == state).await)
    }

    /// Schedules a version's destruction for now, and waits for it.
    pub async fn destroy(&self, name: &str) -> KeyVersion {
        self.cause(Event::Destroy(0), name).await.unwrap();
        self.until_state(name, KeyState::Destroyed).await
    }
}
