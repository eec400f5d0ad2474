//! The binary `chancery-enclave`: see the library of the same name.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    chancery_enclave::run()
}
