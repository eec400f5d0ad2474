//! What requests say of keys: those to make or take in, and changes of their terms.

use super::convert;
use crate::{
    error::Error,
    keys::{Dates, KeyUpdate, NewKey, NewObjects},
    model::{KeyName, KeyVersionName, OrganizationName, PrincipalName, RequestId, Rotation},
};
use chancery_api::v1::{self, rotation_schedule::Schedule};
use std::collections::BTreeMap;

/// The paths that an update's mask may name.
const PATHS: &str = "labels, check, rotation, overlap, pool_size, versions.activate_time, versions.expire_time";
/// The most bytes of a cron.
const LONGEST_CRON: usize = 128;

pub(super) fn new_key(mut wire: v1::CreateKeyRequest) -> Result<(NewKey, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let new = NewKey {
        activate_time: convert::time("activate_time", wire.activate_time)?,
        expire_time: convert::time("expire_time", wire.expire_time)?,
        objects: wire.objects.map(new_objects).transpose()?,
        ..parse_new(&wire.parent, &wire.key_id, wire.key)?
    };
    Ok((new, RequestId { id, hash }))
}

/// A key to make or to take in.
pub(super) fn parse_new(parent: &str, key_id: &str, key: Option<v1::Key>) -> Result<NewKey, Error> {
    let organization: OrganizationName = convert::name("parent", parent)?;
    let key = key.ok_or_else(|| Error::invalid("key", "required"))?;
    let owner = match key.owner.as_str() {
        "" => None,
        text => Some(convert::name::<PrincipalName, _>("key.owner", text)?),
    };
    let algorithm = convert::algorithm(key.algorithm)?;
    Ok(NewKey {
        name: organization.key(key_id).map_err(|error| Error::invalid("key_id", error))?,
        owner,
        purpose: convert::purpose(key.purpose, algorithm)?,
        algorithm,
        protection: convert::protection(key.protection)?,
        check: convert::check(key.check)?,
        labels: labels(key.labels)?,
        rotation: rotation(key.rotation)?,
        overlap: convert::duration("key.overlap", key.overlap)?,
        pool_size: pool_size(key.pool_size)?,
        activate_time: None,
        expire_time: None,
        objects: None,
    })
}

/// What is empty is implied.
fn new_objects(wire: v1::NewObjects) -> Result<NewObjects, Error> {
    let given = |bytes: Vec<u8>| Some(bytes).filter(|bytes| !bytes.is_empty());
    let process = match wire.session_process.as_str() {
        "" => None,
        text => Some(convert::uuid("objects.session_process", text)?),
    };
    Ok(NewObjects {
        public: [given(wire.public_id), given(wire.public_label)],
        private: [given(wire.private_id), given(wire.private_label)],
        process,
        unmodifiable: wire.unmodifiable,
    })
}

pub(super) fn update(mut wire: v1::UpdateKeyRequest) -> Result<(KeyUpdate, RequestId), Error> {
    let id = convert::request_id(&wire.request_id)?;
    wire.request_id.clear();
    let hash = convert::content_hash(&wire);
    let key = wire.key.ok_or_else(|| Error::invalid("key", "required"))?;
    let name: KeyName = convert::name("key.name", &key.name)?;
    let paths = wire.update_mask.unwrap_or_default().paths;
    if paths.is_empty() {
        return Err(Error::invalid("update_mask", format!("required: what is to change, of {PATHS}")));
    }
    let (version, mut dates) = (&key.versions, Dates::default());
    let mut update =
        KeyUpdate { name, labels: None, check: None, rotation: None, overlap: None, pool_size: None, version: None };
    for path in &paths {
        let only = || match version.as_slice() {
            [only] => Ok(only),
            _ => Err(Error::invalid("key.versions", format!("one version expected, since the mask has {path}"))),
        };
        match path.as_str() {
            "labels" => update.labels = Some(labels(key.labels.clone())?),
            "check" => update.check = Some(convert::check(key.check)?),
            "rotation" => update.rotation = Some(rotation(key.rotation.clone())?),
            "overlap" => update.overlap = Some(convert::duration("key.overlap", key.overlap)?),
            "pool_size" => update.pool_size = Some(pool_size(key.pool_size)?),
            "versions.activate_time" => {
                dates.activate_time = Some(convert::time("key.versions.activate_time", only()?.activate_time)?);
            }
            "versions.expire_time" => {
                dates.expire_time = Some(convert::time("key.versions.expire_time", only()?.expire_time)?);
            }
            other => {
                let given: String = other.chars().take(80).collect();
                return Err(Error::invalid("update_mask", format!("`{given}` is none of {PATHS}")));
            }
        }
    }
    if let ([dated], true) = (version.as_slice(), dates.activate_time.is_some() || dates.expire_time.is_some()) {
        let name: KeyVersionName = convert::name("key.versions.name", &dated.name)?;
        if *name.key() != update.name {
            return Err(Error::invalid("key.versions.name", format!("it is no version of {}", update.name)));
        }
        update.version = Some((name, dates));
    }
    Ok((update, RequestId { id, hash }))
}

fn labels(given: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Error> {
    if given.len() > 32 || given.iter().any(|(k, v)| k.is_empty() || k.len() > 63 || v.len() > 255) {
        let problem = "at most 32, keys of 1 to 63 and values of at most 255 bytes";
        return Err(Error::invalid("key.labels", problem));
    }
    Ok(given)
}

fn rotation(given: Option<v1::RotationSchedule>) -> Result<Option<Rotation>, Error> {
    let Some(given) = given else { return Ok(None) };
    match given.schedule {
        None => Err(Error::invalid("key.rotation", "`interval` or `cron` expected; absent: by request only")),
        Some(Schedule::Interval(interval)) => {
            Ok(convert::duration("key.rotation.interval", Some(interval))?.map(Rotation::Every))
        }
        Some(Schedule::Cron(cron)) if cron.len() > LONGEST_CRON => {
            Err(Error::invalid("key.rotation.cron", format!("at most {LONGEST_CRON} bytes")))
        }
        Some(Schedule::Cron(cron)) => Ok(Some(Rotation::Cron(cron))),
    }
}

fn pool_size(given: i32) -> Result<u32, Error> {
    u32::try_from(given).map_err(|_| Error::invalid("key.pool_size", "not negative"))
}
