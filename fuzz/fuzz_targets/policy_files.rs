//! A policy directory: name, NUL, text, NUL, and so on; this version's schema is added. A set is whole or refused.

#![no_main]

use chancery::policy::PolicySet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parts: Vec<_> = text.split('\0').map(str::to_owned).collect();
    let (pairs, _) = parts.as_chunks::<2>();
    let mut files: Vec<_> = pairs.iter().map(|[name, text]| (name.clone(), text.clone())).collect();
    let schema = PolicySet::shipped().iter().filter(|(name, _)| name.ends_with(".cedarschema"));
    files.extend(schema.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));

    match PolicySet::from_files(files.clone()) {
        Ok(set) => {
            files.sort();
            assert_eq!(set.files(), files, "every file was used");
            let again = PolicySet::from_files(files).expect("the same files");
            assert_eq!(set.hash(), again.hash());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
