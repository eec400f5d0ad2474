//! Client certificates and trust anchors: whatever is sent or registered, nobody is identified who was not vouched for.
#![no_main]

use chancery::{
    identity::{CertificateDer, Members, Registry, UnixTime},
    model::{NamePattern, Organization, OrganizationName, Role, TrustAnchor},
};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    // Alone, and with another certificate: the halves of the input.
    let (first, second) = data.split_at(data.len() / 2);
    let chains: [&[&[u8]]; 4] = [&[data], &[data, data], &[first, second], &[second, first, data]];

    let name = OrganizationName::from_id("org1").expect("an id");
    let organization = Organization::new(name.clone(), Vec::new(), 0);
    let patterns = vec![NamePattern { role: Role::Client, pattern: "*".to_owned() }];
    let nobody = Registry::new(Members::default()).expect("an empty registry");
    let anchor = TrustAnchor { organization: name, certificate: data.to_owned(), patterns, removed: false };
    let registries = [Some(nobody), Registry::new(Members { organizations: vec![organization], anchors: vec![anchor], ..Members::default() }).ok()];

    for registry in registries.iter().flatten() {
        for chain in chains {
            let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
            // An authority is no client, so its own certificate does not identify anyone either.
            let error = registry.identify(&chain, now, &|_| false).expect_err("nobody was vouched for");
            assert!(!error.reason().is_empty() && !error.to_string().is_empty());
        }
    }
});
