//! Compiles the audit record's schema, with protox: no protoc is needed.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let record = proto.join("chancery/audit/v1/record.proto");
    println!("cargo::rerun-if-changed={}", record.display());

    let descriptors = protox::compile([&record], [&proto])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
