//! Names of objects under hostile text: nothing panics, and each has one spelling.
#![no_main]

use chancery::{model::ObjectName, objects::CertificateObjectName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(name) = text.parse::<ObjectName>() {
        assert_eq!(name.to_string(), text);
        assert!(name.object.number >= 1 && name.version.number() >= 1);
    }
    if let Ok(name) = text.parse::<CertificateObjectName>() {
        assert_eq!(format!("{}/certificates/{}", name.principal, name.certificate_id), text);
    }
});
