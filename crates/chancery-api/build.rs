//! Generates the gRPC code from proto/ without a system protoc.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files = [
        "v1/keys",
        "v1/objects",
        "v1/signing",
        "v1/crypto",
        "v1/certificates",
        "v1/audit",
        "v1/admin",
        "state/v1/state",
    ]
    .map(|name| root.join(format!("chancery/{name}.proto")));
    let descriptors = protox::compile(&files, [&root])?;
    // tonic-prost-build ignores `file_descriptor_set_path` here, so the set that reflection serves is written by hand.
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Sorted, so that equal requests have equal bytes: retries are told by a hash.
        .btree_map(".")
        .extern_path(".chancery.audit.v1", "::chancery_audit::record")
        .compile_fds(descriptors)?;
    Ok(())
}
