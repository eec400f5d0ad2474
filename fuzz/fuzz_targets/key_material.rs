//! Public keys and SM2 ciphertexts: parsed or refused; what is parsed has one encoding and its forms.
#![no_main]

use chancery::{
    crypto::{Form, KeyForms, PublicKey, Signable, encrypt_to, sm2_ciphertext_from},
    model::{Algorithm, SignatureFormat},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match sm2_ciphertext_from(data) {
        Ok(joined) => assert_eq!(sm2_ciphertext_from(&joined).as_ref(), Ok(&joined)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    for algorithm in Algorithm::ALL {
        let Ok(key) = PublicKey::parse(*algorithm, data) else { continue };
        let forms = KeyForms::of(&key);
        assert!(key.spki().ends_with(&forms.raw));
        assert!(forms.compressed.len() <= forms.raw.len());
        let message = Signable::Message { hash: None, value: data.to_vec(), user_id: None };
        let Ok(input) = message.fit(&key, None) else { continue };
        // Nobody signed these: whatever they parse as, they verify under no key.
        for format in SignatureFormat::ALL {
            let Ok(form) = Form::new(*algorithm, *format, None) else { continue };
            let tail = data.get(data.len().saturating_sub(65)..).unwrap_or_default();
            let read = form.read(&key, &input, tail);
            assert!(!read.is_some_and(|signature| key.verify(&input, &signature)));
        }
        let _ = encrypt_to(&key, b"plain", b"");
    }
});
