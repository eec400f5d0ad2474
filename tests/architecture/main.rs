//! Holds what docs/architecture.md says of the source: which way dependencies point, who may name which crate, where
//! unsafe code may stand, how long a file may be, and that the documents name what exists.
//!
//! The rules are the tables below; edit those. The checks are in the modules, each tried on a bad sample first, so that
//! none of them is green because it looks at nothing.

mod code;
mod documents;
mod fences;
mod layers;
mod lifecycle;
mod source;

/// The service's modules, highest first. A module may use those of the lines below its own; modules of one line may not
/// use one another. `lib.rs` and `main.rs` stand above them all.
const LAYERS: &[&[&str]] = &[
    &["deployment"],
    &["service"],
    &["grpc", "mirror"],
    &["backups", "issuing"],
    &["keys", "limiting", "policies", "registry"],
    &["approvals"],
    &["operations", "signing"],
    &["admission"],
    &["limits"],
    &["changes"],
    &["witnesses"],
    &["audit"],
    &["enclave"],
    &["access"],
    &["directory"],
    &["identity", "store"],
    &["certificates", "config"],
    &["crypto"],
    &["error", "sabotage"],
];

/// Crates that only some of the service's modules may name: what they wrap is unknown to the rest. Crates whose name
/// begins with that and an underscore are meant, too.
const FENCED_CRATES: &[(&str, &[&str])] = &[
    ("tonic", &["grpc", "service"]),
    ("hyper", &["mirror"]),
    ("http_body_util", &["mirror"]),
    ("rusqlite", &["store"]),
    ("refinery", &["store"]),
    ("cedar_policy", &[]),
    ("chancery_ipc", &["crypto", "deployment", "enclave", "operations", "service"]),
];

/// Where `unsafe` may stand. Every crate but those of these files forbids it at its root.
const UNSAFE_FILES: &[&str] = &["crates/chancery-enclave/src/hardening.rs", "crates/chancery-enclave/src/memory.rs"];

/// The longest source file, in lines.
const LONGEST_FILE: usize = 600;
