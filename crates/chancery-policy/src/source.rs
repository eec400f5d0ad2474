//! Policy files: from a directory, and those shipped with this version.

use super::PolicyError;
use sha2::{Digest, Sha256};
use std::{fs, path::Path};

/// File name of the schema.
pub(super) const SCHEMA_FILE: &str = "schema.cedarschema";

/// The schema of this version: what [`super::translate`] says about a request.
pub(super) const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");

/// The schema and the base set, as (file name, text), sorted.
pub(super) const SHIPPED: &[(&str, &str)] = &[
    ("auditor.cedar", include_str!("../../../policies/auditor.cedar")),
    ("ca.cedar", include_str!("../../../policies/ca.cedar")),
    ("client.cedar", include_str!("../../../policies/client.cedar")),
    ("member.cedar", include_str!("../../../policies/member.cedar")),
    ("node.cedar", include_str!("../../../policies/node.cedar")),
    ("opssc-agent.cedar", include_str!("../../../policies/opssc-agent.cedar")),
    ("platform-operator.cedar", include_str!("../../../policies/platform-operator.cedar")),
    (SCHEMA_FILE, SCHEMA),
    ("security-officer.cedar", include_str!("../../../policies/security-officer.cedar")),
    ("tenancy.cedar", include_str!("../../../policies/tenancy.cedar")),
];

/// Reads what in `directory` is policy, by its name; other files and subdirectories are none.
pub(super) fn read(directory: &Path) -> Result<Vec<(String, String)>, PolicyError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| PolicyError::Unreadable { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let entry = entry.map_err(unreadable(directory))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // "deny.cedar.txt" would be silently ignored otherwise: for a forbid, that is a hole.
        if name.contains(".cedar") {
            check_name(&name)?;
            let path = entry.path();
            files.push((name, fs::read_to_string(&path).map_err(unreadable(&path))?));
        }
    }
    Ok(files)
}

/// Whether a file of this name is used.
pub(super) fn check_name(name: &str) -> Result<(), PolicyError> {
    let policy = name.strip_suffix(".cedar").is_some_and(|stem| !stem.is_empty());
    if policy || name == SCHEMA_FILE { Ok(()) } else { Err(PolicyError::UnknownFile { name: name.to_owned() }) }
}

/// SHA-256 over `chancery policy set v1\n` and, for each file in order, its name and its text, each preceded by its
/// length in bytes as a 64-bit big-endian number.
pub(super) fn hash(files: &[(String, String)]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"chancery policy set v1\n");
    for part in files.iter().flat_map(|(name, text)| [name, text]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
