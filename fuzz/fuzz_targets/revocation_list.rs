//! Revocation lists as officers bring them: whatever is sent is refused, or says what it says in bounded memory.
#![no_main]

use chancery::{
    certificates::{CertificateList, MAXIMUM_LIST_SIZE, list_der},
    identity::Revocations,
    model::{OrganizationName, RevocationList},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(der) = list_der(data) else { return };
    let organization = OrganizationName::from_id("org1").expect("an id");
    let row = RevocationList { organization, anchor: "0".repeat(32), crl: der.to_vec() };
    let kept = Revocations::parse(&row);
    let Ok(list) = CertificateList::parse(&der) else {
        assert!(kept.is_err(), "what is not taken is not kept");
        return;
    };
    assert_eq!(*kept.expect("what is taken can be read again").list, list);
    assert!(der.len() <= MAXIMUM_LIST_SIZE && list.this_update() < list.next_update());
    // An entry takes at least a SEQUENCE, an INTEGER and a UTCTime.
    assert!(list.entries() * 20 <= der.len(), "no more entries than bytes");
    assert!(list.number().to_string().bytes().all(|c| c.is_ascii_digit()));
});
