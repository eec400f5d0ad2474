//! What clients print: one line for each thing that they received, as soon as they have it.
//!
//! `signature DIGEST SIGNATURE`, hexadecimal: the digest that was signed, and r and s as the module gave them, or their
//! DER. `key ID`: a key that was made and has its id. `slowest MILLISECONDS`: the longest call, at the end. Other lines
//! are for people.

use std::time::Duration;

/// A signature that a client received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) digest: Vec<u8>,
    /// r and s, each as long as the field.
    pub(crate) raw: Vec<u8>,
}

/// Everything that a client received.
#[derive(Debug, Default, Clone)]
pub(crate) struct Received {
    pub(crate) signatures: Vec<Signature>,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) slowest: Option<Duration>,
}

impl Received {
    pub(crate) fn count(&self) -> usize {
        self.signatures.len() + self.keys.len()
    }

    pub(crate) fn line(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["signature", digest, signature] => {
                let bytes = |text| hex::decode(text).unwrap_or_else(|error| panic!("{line}: {error}"));
                self.signatures.push(Signature { digest: bytes(digest), raw: raw(bytes(signature)) });
            }
            ["key", id] => self.keys.push(hex::decode(id).unwrap_or_else(|error| panic!("{line}: {error}"))),
            ["slowest", milliseconds] => self.slowest = milliseconds.parse().ok().map(Duration::from_millis),
            _ => {}
        }
    }
}

/// A P-256 signature in one form, whichever the client's library prefers.
fn raw(signature: Vec<u8>) -> Vec<u8> {
    match p256::ecdsa::Signature::from_der(&signature) {
        Ok(der) if signature.len() != 64 => der.to_bytes().to_vec(),
        _ => signature,
    }
}

#[test]
fn both_forms_of_a_signature_are_one() {
    let raw = [[0x11; 32], [0x91; 32]].concat();
    let der = p256::ecdsa::Signature::from_slice(&raw).unwrap().to_der();
    let mut received = Received::default();
    for form in [raw.clone(), der.as_bytes().to_vec()] {
        received.line(&format!("signature ab {}", hex::encode(form)));
    }
    received.line("nothing of interest");
    assert_eq!(received.signatures, [(); 2].map(|()| Signature { digest: vec![0xab], raw: raw.clone() }));
}
