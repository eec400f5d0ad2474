//! Certificate signing requests: parsed or refused; what is parsed has one key and names that read back, and becomes a
//! certificate or is refused for a reason.
#![no_main]

use chancery::certificates::{
    CertificateDraft, CertificateRequest, Issuance, Profile, PublicKey, SubjectAlternativeName,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let request = match CertificateRequest::parse(data) {
        Ok(request) => request,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let key = request.public_key();
    assert_eq!(PublicKey::parse(key.der()).as_ref(), Ok(key));
    for name in request.alternative_names() {
        assert_eq!(name.to_string().parse::<SubjectAlternativeName>().as_ref(), Ok(name));
    }
    for profile in Profile::ALL {
        let issuance = Issuance {
            profile: *profile,
            request: &request,
            issuer_key: key.der(),
            issuer_certificate: None,
            serial: [1; 20],
            now: 1_800_000_000,
        };
        match CertificateDraft::new(&issuance) {
            // Without an issuer's certificate a key can certify itself only.
            Ok(draft) => assert!(*profile == Profile::RootCa && !draft.to_be_signed().is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
