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
    &["objects"],
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
const UNSAFE_FILES: &[&str] = &[
    "crates/chancery-enclave/src/hardening.rs",
    "crates/chancery-enclave/src/memory.rs",
    "crates/chancery-pkcs11/src/ffi/decryption.rs",
    "crates/chancery-pkcs11/src/ffi/digests.rs",
    "crates/chancery-pkcs11/src/ffi/encryption.rs",
    "crates/chancery-pkcs11/src/ffi/general.rs",
    "crates/chancery-pkcs11/src/ffi/keys.rs",
    "crates/chancery-pkcs11/src/ffi/lists.rs",
    "crates/chancery-pkcs11/src/ffi/mechanism.rs",
    "crates/chancery-pkcs11/src/ffi/objects.rs",
    "crates/chancery-pkcs11/src/ffi/output.rs",
    "crates/chancery-pkcs11/src/ffi/pointer.rs",
    "crates/chancery-pkcs11/src/ffi/process.rs",
    "crates/chancery-pkcs11/src/ffi/random.rs",
    "crates/chancery-pkcs11/src/ffi/search.rs",
    "crates/chancery-pkcs11/src/ffi/sessions.rs",
    "crates/chancery-pkcs11/src/ffi/signals.rs",
    "crates/chancery-pkcs11/src/ffi/signatures.rs",
    "crates/chancery-pkcs11/src/ffi/slots.rs",
    "crates/chancery-pkcs11/src/ffi/stages.rs",
    "crates/chancery-pkcs11/src/ffi/template.rs",
    "crates/chancery-pkcs11/src/ffi/tokens.rs",
    "crates/chancery-pkcs11/src/ffi/unsupported.rs",
    "crates/chancery-pkcs11/src/ffi/verification.rs",
    "fuzz/fuzz_targets/pkcs11_abi.rs",
    "fuzz/fuzz_targets/pkcs11_abi/arguments.rs",
];

/// The longest source file, in lines.
const LONGEST_FILE: usize = 600;
