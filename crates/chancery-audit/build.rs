//! Compiles the schemas of the audit record and of snapshots, with protox: no protoc is needed.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files = ["record", "snapshot"].map(|name| proto.join(format!("chancery/audit/v1/{name}.proto")));
    files.iter().for_each(|file| println!("cargo::rerun-if-changed={}", file.display()));

    let descriptors = protox::compile(&files, [&proto])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
