//! The independent judge: OpenSSL's command line, and ECDSA's encodings written out by hand.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A directory for the files that openssl reads.
pub(crate) struct OpenSsl(TempDir);

impl OpenSsl {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A file with this content; `name` serves for one at a time.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs openssl on words separated by spaces, no file name has any.
    pub(crate) fn run(&self, arguments: &str) -> Output {
        Command::new("openssl").args(arguments.split_whitespace()).output().expect("the openssl command is needed")
    }

    /// Standard output of a run that must succeed.
    pub(crate) fn text(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "openssl {arguments}: {out}{err}");
        format!("{out}{err}")
    }

    /// Whether `signature` is one of the digest, by a public key in PEM; `options` go to `pkeyutl`.
    pub(crate) fn verifies_digest(&self, public: &str, digest: &[u8], signature: &[u8], options: &str) -> bool {
        let public = self.file("public.pem", public);
        let (digest, signature) = (self.file("digest", digest), self.file("signature", signature));
        let arguments = format!("pkeyutl -verify -pubin -inkey {public} -in {digest} -sigfile {signature} {options}");
        self.run(&arguments).status.success()
    }

    /// Whether `signature` is one of the message hashed with `hash`.
    pub(crate) fn verifies_message(&self, public: &str, hash: &str, message: &[u8], signature: &[u8]) -> bool {
        let public = self.file("public.pem", public);
        let (message, signature) = (self.file("message", message), self.file("signature", signature));
        self.run(&format!("dgst -{hash} -verify {public} -signature {signature} {message}")).status.success()
    }
}

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3) of r ‖ s.
pub(crate) fn der_of_raw(raw: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let mut value: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if value.first().is_none_or(|first| first & 0x80 != 0) {
            value.insert(0, 0);
        }
        [&[2, u8::try_from(value.len()).unwrap()], value.as_slice()].concat()
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).unwrap();
    let header = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [header, body].concat()
}

/// s of an Ecdsa-Sig-Value, without leading zeros.
pub(crate) fn s_of_der(der: &[u8]) -> Vec<u8> {
    let body = if der[1] == 0x81 { &der[3..] } else { &der[2..] };
    let r_length = usize::from(body[1]);
    let s = &body[2 + r_length + 2..];
    s.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// Whether s is the smaller of s and n - s: 2s < n, which is odd.
pub(crate) fn is_low(s: &[u8], order: &str) -> bool {
    let order: Vec<u8> = hex::decode(order).unwrap();
    let mut doubled = vec![0; order.len() + 1 - s.len().min(order.len())];
    doubled.extend_from_slice(s);
    let mut carry = 0;
    for byte in doubled.iter_mut().rev() {
        let sum = u16::from(*byte) * 2 + carry;
        (*byte, carry) = (sum.to_be_bytes()[1], sum >> 8);
    }
    doubled < [&[0], order.as_slice()].concat()
}
