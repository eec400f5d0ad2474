//! Keys, their versions and backups, as administrative records carry them.

use super::RowError;
use crate::model::{Backup, Key, KeyName, KeyVersion, Origin, Rotation};
use chancery_api::state;
use std::time::Duration;

pub(super) fn key_state(row: &Key) -> state::Key {
    state::Key {
        name: row.name.to_string(),
        owner: row.owner.to_string(),
        purpose: row.purpose.to_string(),
        algorithm: row.algorithm.to_string(),
        protection: row.protection.to_string(),
        check: row.check.to_string(),
        labels: row.labels.clone().into_iter().collect(),
        primary_version: row.primary_version,
        create_time_unix_nanos: row.create_time,
        rotation_interval_seconds: match row.rotation {
            Some(Rotation::Every(interval)) => interval.as_secs(),
            _ => 0,
        },
        rotation_cron: match &row.rotation {
            Some(Rotation::Cron(cron)) => cron.clone(),
            _ => String::new(),
        },
        next_rotation_unix_nanos: row.next_rotation.unwrap_or_default(),
        overlap_seconds: row.overlap.map(|overlap| overlap.as_secs()),
        pool_size: row.pool_size,
    }
}

pub(super) fn version_state(row: &KeyVersion) -> state::KeyVersion {
    state::KeyVersion {
        name: row.name.to_string(),
        state: row.state.to_string(),
        public_key: row.public_key.clone(),
        create_time_unix_nanos: row.create_time,
        certificate: row.certificate.clone().unwrap_or_default(),
        origin: row.origin.to_string(),
        activate_time_unix_nanos: row.activate_time.unwrap_or_default(),
        expire_time_unix_nanos: row.expire_time.unwrap_or_default(),
        destroy_time_unix_nanos: row.destroy_time.unwrap_or_default(),
        destroyed_time_unix_nanos: row.destroyed_time.unwrap_or_default(),
        compromised_time_unix_nanos: row.compromised_time.unwrap_or_default(),
        pooled: row.pooled,
        destroyed_under_kek: row.destroyed_under_kek,
        restored_from: row.restored_from.clone().unwrap_or_default(),
    }
}

pub(super) fn backup_state(row: &Backup) -> state::Backup {
    state::Backup {
        name: row.name.to_string(),
        create_time_unix_nanos: row.create_time,
        versions: row.versions,
        token_versions: row.token_versions,
        threshold: row.threshold,
        custodians: row.custodians.clone(),
        sha256: row.sha256.map(Vec::from).unwrap_or_default(),
    }
}

/// Zero is how a state says that there is no such time.
fn time(nanos: i64) -> Option<i64> {
    Some(nanos).filter(|nanos| *nanos != 0)
}

pub(super) fn parse_version(state: state::KeyVersion) -> Result<KeyVersion, RowError> {
    Ok(KeyVersion {
        name: state.name.parse()?,
        state: state.state.parse()?,
        public_key: state.public_key,
        create_time: state.create_time_unix_nanos,
        certificate: Some(state.certificate).filter(|der| !der.is_empty()),
        origin: if state.origin.is_empty() { Origin::Generated } else { state.origin.parse()? },
        activate_time: time(state.activate_time_unix_nanos),
        expire_time: time(state.expire_time_unix_nanos),
        destroy_time: time(state.destroy_time_unix_nanos),
        destroyed_time: time(state.destroyed_time_unix_nanos),
        compromised_time: time(state.compromised_time_unix_nanos),
        pooled: state.pooled,
        destroyed_under_kek: state.destroyed_under_kek,
        restored_from: Some(state.restored_from).filter(|name| !name.is_empty()),
    })
}

pub(super) fn parse_backup(state: state::Backup) -> Result<Backup, RowError> {
    Ok(Backup {
        name: state.name.parse()?,
        create_time: state.create_time_unix_nanos,
        versions: state.versions,
        token_versions: state.token_versions,
        threshold: state.threshold,
        custodians: state.custodians,
        sha256: match state.sha256.is_empty() {
            true => None,
            false => Some(state.sha256.try_into().map_err(|_| RowError::HashLength)?),
        },
    })
}

pub(super) fn parse_key(state: state::Key) -> Result<Key, RowError> {
    Ok(Key {
        name: state.name.parse::<KeyName>()?,
        owner: state.owner.parse()?,
        purpose: state.purpose.parse()?,
        algorithm: state.algorithm.parse()?,
        protection: state.protection.parse()?,
        check: state.check.parse()?,
        labels: state.labels.into_iter().collect(),
        primary_version: state.primary_version,
        create_time: state.create_time_unix_nanos,
        rotation: match state.rotation_interval_seconds {
            0 => {
                Some(Rotation::Cron(state.rotation_cron)).filter(|rotation| *rotation != Rotation::Cron(String::new()))
            }
            seconds => Some(Rotation::Every(Duration::from_secs(seconds))),
        },
        next_rotation: time(state.next_rotation_unix_nanos),
        overlap: state.overlap_seconds.map(Duration::from_secs),
        pool_size: state.pool_size,
    })
}
