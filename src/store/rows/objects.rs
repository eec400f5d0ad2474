//! What PKCS#11 clients set, as administrative records carry it.

use super::RowError;
use crate::model::{CertificateObject, KeyName, KeyObjects, PrincipalName, SetObject};
use chancery_api::state;

pub(super) fn key_objects_state(row: &KeyObjects) -> state::KeyObjects {
    let object = |set: &SetObject| state::KeyObject {
        version: set.version,
        object: set.object.to_string(),
        id: set.id.clone(),
        label: set.label.clone(),
        unmodifiable: !set.modifiable,
        dropped: set.dropped,
    };
    state::KeyObjects {
        name: row.name(),
        standing: row.standing.to_string(),
        process: row.process.clone(),
        collect_time_unix_nanos: row.collect_time.unwrap_or_default(),
        objects: row.objects.iter().map(object).collect(),
        last_copy: row.last_copy,
    }
}

pub(super) fn certificate_object_state(row: &CertificateObject) -> state::CertificateObject {
    state::CertificateObject {
        name: row.name(),
        certificate: row.certificate.clone(),
        id: row.id.clone(),
        label: row.label.clone(),
        version: row.version.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

pub(super) fn parse_key_objects(state: state::KeyObjects) -> Result<KeyObjects, RowError> {
    let object = |set: state::KeyObject| {
        Ok::<_, RowError>(SetObject {
            version: set.version,
            object: set.object.parse()?,
            id: set.id,
            label: set.label,
            modifiable: !set.unmodifiable,
            dropped: set.dropped,
        })
    };
    let key = state.name.strip_suffix("/objects").unwrap_or_default();
    Ok(KeyObjects {
        key: key.parse::<KeyName>()?,
        standing: state.standing.parse()?,
        process: state.process,
        collect_time: Some(state.collect_time_unix_nanos).filter(|time| *time != 0),
        objects: state.objects.into_iter().map(object).collect::<Result<_, _>>()?,
        last_copy: state.last_copy,
    })
}

pub(super) fn parse_certificate_object(state: state::CertificateObject) -> Result<CertificateObject, RowError> {
    let (principal, id) = state.name.rsplit_once("/certificates/").unwrap_or_default();
    Ok(CertificateObject {
        principal: principal.parse::<PrincipalName>()?,
        certificate_id: id.to_owned(),
        certificate: state.certificate,
        id: state.id,
        label: state.label,
        version: if state.version.is_empty() { None } else { Some(state.version.parse()?) },
    })
}
