//! The configuration file: whatever it says, it is parsed into bounded values or refused with a reason.

#![no_main]

use chancery::config::Configuration;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Configuration::parse(text, Path::new("/etc/chancery")) {
        Ok(configuration) => {
            assert!(!configuration.origin.contains(['\n', ' ', '+']), "an origin is one line of a checkpoint");
            for path in [&configuration.data, &configuration.audit, &configuration.token.pin_file] {
                assert!(path.is_absolute(), "{} is relative to nothing", path.display());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
