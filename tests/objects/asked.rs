//! What these tests ask of ObjectService.

use crate::shared::{ORG1, call, creation, id, make};
use chancery_api::v1::{
    Algorithm, CopyObjectRequest, CreateKeyRequest, DeleteObjectRequest, Key, ListObjectsRequest, NewObjects, Object,
    ObjectClass, Protection, Standing, UpdateObjectRequest,
};
use chancery_client::{Client, ClientError};
use sha2::{Digest as _, Sha256};
use std::time::{Duration, Instant};

/// What nothing here takes longer than, on a machine with much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// To make a P-256 key for signing as its owner does it through PKCS#11.
pub(crate) fn generation(name: &str, objects: NewObjects) -> CreateKeyRequest {
    let mut request = CreateKeyRequest { objects: Some(objects), ..creation(name, "", Algorithm::EcP256) };
    let key = request.key.as_mut().unwrap();
    // Its maker's, and quick to make.
    (key.owner, key.protection) = (String::new(), Protection::Enclave.into());
    request
}

/// A key as Fabric makes it: with counters for ids.
pub(crate) async fn generated(peer: &Client, name: &str) -> Key {
    let objects = NewObjects {
        public_id: b"BCPUB7".to_vec(),
        public_label: b"BCPUB7".to_vec(),
        private_id: b"BCPRV7".to_vec(),
        private_label: b"BCPRV7".to_vec(),
        ..NewObjects::default()
    };
    make(peer, generation(name, objects)).await
}

/// A key whose halves both bear `id`.
pub(crate) async fn named(peer: &Client, name: &str, id: &[u8]) -> Key {
    let objects = NewObjects { public_id: id.to_vec(), private_id: id.to_vec(), ..NewObjects::default() };
    make(peer, generation(name, objects)).await
}

/// SHA-256 of a version's point: what Fabric finds keys by. The point ends the SubjectPublicKeyInfo.
pub(crate) fn ski(key: &Key) -> Vec<u8> {
    let der = &key.primary.as_ref().unwrap().public_key;
    Sha256::digest(&der[der.len() - 65..]).to_vec()
}

/// All objects that a client sees, in pages of `page_size`.
pub(crate) async fn list(client: &Client, page_size: i32) -> Vec<Object> {
    let mut request = ListObjectsRequest { parent: ORG1.into(), page_size, ..ListObjectsRequest::default() };
    let mut objects = Vec::new();
    loop {
        let page = call(client.objects().list_objects(request.clone())).await.unwrap();
        objects.extend(page.objects);
        if page.next_page_token.is_empty() {
            return objects;
        }
        request.page_token = page.next_page_token;
    }
}

/// The objects of one key that a client sees.
pub(crate) async fn of_key(client: &Client, key: &str) -> Vec<Object> {
    let prefix = format!("{key}/versions/");
    list(client, 0).await.into_iter().filter(|object| object.version.starts_with(&prefix)).collect()
}

/// One object of a key's first version.
pub(crate) fn object(key: &str, object: &str) -> String {
    format!("{key}/versions/1/objects/{object}")
}

pub(crate) fn update(name: &str, id_: &[u8], label: &[u8]) -> UpdateObjectRequest {
    UpdateObjectRequest {
        name: name.into(),
        id: Some(id_.to_vec()),
        label: Some(label.to_vec()),
        modifiable: None,
        request_id: id(),
    }
}

pub(crate) fn copy(name: &str) -> CopyObjectRequest {
    CopyObjectRequest { name: name.into(), request_id: id(), ..CopyObjectRequest::default() }
}

pub(crate) fn deletion(name: &str) -> DeleteObjectRequest {
    DeleteObjectRequest { name: name.into(), request_id: id() }
}

/// Fails unless the error has this reason.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, reason: &str) {
    let error = answer.unwrap_err();
    assert_eq!(error.reason.as_deref(), Some(reason), "{error}");
}

/// The standing of a key, as its owner sees it; none once it shows no objects.
pub(crate) async fn standing(client: &Client, key: &str) -> Option<Standing> {
    of_key(client, key).await.first().map(Object::standing)
}

/// The only object of a class.
#[track_caller]
pub(crate) fn only(objects: &[Object], class: ObjectClass) -> &Object {
    let mut of_class = objects.iter().filter(|object| object.class() == class);
    let first = of_class.next().unwrap_or_else(|| panic!("no {class:?} in {objects:?}"));
    assert!(of_class.next().is_none(), "several {class:?} in {objects:?}");
    first
}

/// Waits until a key shows no objects any more.
pub(crate) async fn gone(client: &Client, key: &str) {
    let until = Instant::now() + PATIENCE;
    while !of_key(client, key).await.is_empty() {
        assert!(Instant::now() < until, "{key} is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
