//! The enclave's chain of what it did with private keys: a hash per operation, and statements of its end that the audit
//! key signs (docs/audit-log.md §9).
//!
//! **Invariants**
//! * A link covers the operation's number, key version, mechanism and commitment, and every link before it.
//! * A statement's first line is one that no log's origin begins with, so that no signature of one can pass for the
//!   other.
//!
//! **Not here**: who makes statements and when (the enclave), whether the log shows every operation (`verify`).

use sha2::{Digest, Sha256};

use crate::merkle::Hash;

/// The first line of a statement. No origin begins with its first word.
pub const FIRST_LINE: &str = "chancery-operations/v1";

/// What no log's origin begins with.
pub const RESERVED_PREFIX: &str = "chancery-operations/";

/// How many operations may lie beyond the last statement that the enclave was shown in the log. It goes no further.
pub const MOST_UNSHOWN: u64 = 4096;

/// The mechanism of making a key.
pub const GENERATE: &str = "generate";
/// The mechanism of taking a key in from elsewhere.
pub const IMPORT: &str = "import";

/// Hash, mechanism and the DigestInfo before the digest of each form of RSASSA-PKCS1-v1_5 (RFC 8017 §9.2, note 1).
const RSA_PKCS1: [(&str, &str, [u8; 19]); 3] = [
    ("sha256", "rsa-pkcs1-sha256", *b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
    ("sha384", "rsa-pkcs1-sha384", *b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"),
    ("sha512", "rsa-pkcs1-sha512", *b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"),
];

/// The mechanism that signs this DigestInfo; `rsa-pkcs1` for one of another hash.
pub fn rsa_pkcs1(digest_info: &[u8]) -> &'static str {
    let found = RSA_PKCS1.iter().find(|(_, _, prefix)| digest_info.starts_with(prefix));
    found.map_or("rsa-pkcs1", |(_, mechanism, _)| mechanism)
}

/// What stands before the digest in the DigestInfo of a hash, by the word that records have for it.
pub fn digest_info(hash: &str) -> Option<&'static [u8; 19]> {
    RSA_PKCS1.iter().find(|(word, ..)| *word == hash).map(|(_, _, prefix)| prefix)
}

/// The chain of one enclave process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    operations: u64,
    link: Hash,
}

impl Chain {
    /// Before the first operation of the process that drew these 16 bytes: SHA-256([`FIRST_LINE`] ‖ incarnation).
    pub fn new(incarnation: &[u8; 16]) -> Self {
        let link = Sha256::new().chain_update(FIRST_LINE).chain_update(incarnation).finalize().into();
        Self { operations: 0, link }
    }

    /// Goes on from a statement: `operations` were made, and `link` is the last link.
    pub fn resume(operations: u64, link: Hash) -> Self {
        Self { operations, link }
    }

    /// How many operations it covers.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// The last link.
    pub fn link(&self) -> &Hash {
        &self.link
    }

    /// Takes in the next operation, and gives its number, from 1. The link is SHA-256(link before ‖ number as 8 bytes, most
    /// significant first ‖ name ‖ mechanism ‖ commitment), where name and mechanism have their length before them as 2
    /// bytes, most significant first.
    ///
    /// # Panics
    /// If a name or mechanism is longer than 65,535 bytes; the enclave admits none of such length.
    pub fn extend(&mut self, version: &str, mechanism: &str, commitment: &Hash) -> u64 {
        self.operations += 1;
        let mut hash = Sha256::new().chain_update(self.link).chain_update(self.operations.to_be_bytes());
        for text in [version, mechanism] {
            let length = u16::try_from(text.len()).expect("names are short");
            hash.update(length.to_be_bytes());
            hash.update(text);
        }
        self.link = hash.chain_update(commitment).finalize().into();
        self.operations
    }
}

/// What the audit key signs: five lines, each with its newline.
pub fn statement_text(origin: &str, incarnation: &[u8; 16], operations: u64, link: &Hash) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{FIRST_LINE}\n{origin}\n{}\n{operations}\n{}\n", hex(incarnation), hex(link))
}

/// What the enclave commits to when it signs: SHA-256(SHA-256(input) ‖ SHA-256(output)), of the bytes that the mechanism
/// takes and gives. Of an ECDSA output only r counts, its first half, which fixes s but for its sign: s is often replaced
/// by n - s before it is released.
pub fn signature_commitment(mechanism: &str, input_sha256: &Hash, output: &[u8]) -> Hash {
    let output = if mechanism == "ecdsa" { &output[..output.len() / 2] } else { output };
    Sha256::new().chain_update(input_sha256).chain_update(Sha256::digest(output)).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// docs/audit-log.md §9.4, computed with Python's hashlib.
    #[test]
    fn the_specifications_vectors() {
        let incarnation = std::array::from_fn(|byte| u8::try_from(byte).unwrap_or_default());
        let mut chain = Chain::new(&incarnation);
        assert_eq!(hex(chain.link()), "70cdc332a3305b2e5cee3f12801f863845f58845969dfdd679c9fd5dba199c65");

        let version = "organizations/org1/keys/k/versions/1";
        assert_eq!(chain.extend(version, GENERATE, &[0xa1; 32]), 1);
        assert_eq!(hex(chain.link()), "ad1611be59843598e7110216118471cb505cfd73aa04948834ca7d9c378a31e7");

        let message: Hash = Sha256::digest("a message").into();
        let signature = [[0x11; 32], [0x22; 32]].concat();
        let commitment = signature_commitment("ecdsa", &Sha256::digest(message).into(), &signature);
        assert_eq!(hex(&commitment), "2108a79477d185c99650caac8ddc11b430d5fbfefbc6f28fdfa475bcc75b6c5e");
        let low_s = [[0x11; 32], [0x33; 32]].concat();
        assert_eq!(commitment, signature_commitment("ecdsa", &Sha256::digest(message).into(), &low_s));
        assert_eq!(chain.extend(version, "ecdsa", &commitment), 2);
        assert_eq!(hex(chain.link()), "cf00459dfe7db7cd2db13ac9be816ed5ceec7f5386089f6dbe9b2e4b5d280653");

        let commitment = signature_commitment("ed25519", &message, &[0x33; 64]);
        assert_eq!(hex(&commitment), "a694de00d8177c683c37e3b04f4092fafbb7ca730ce6b84f2b1147c522ef73d0");
        assert_eq!(chain.extend("organizations/org1/keys/e/versions/2", "ed25519", &commitment), 3);
        assert_eq!(hex(chain.link()), "9fbfe4c207674f89c249cff955f03ba2dfbd2cbf3fd7d4981c5002344e5e4d88");

        let text = statement_text("audit.example.org/chancery-1", &incarnation, chain.operations(), chain.link());
        let hash = "72bbc48c4ec65e6de689c6225562c49e8baa61bcb7d4d5c0002ffc8b38b3318d";
        assert_eq!(hex(&Sha256::digest(text)), hash);
    }

    #[test]
    fn a_digest_info_names_its_hash() {
        for hash in ["sha256", "sha384", "sha512"] {
            let info = [&digest_info(hash).unwrap()[..], &[7; 32]].concat();
            assert_eq!(rsa_pkcs1(&info), format!("rsa-pkcs1-{hash}"));
        }
        assert_eq!((rsa_pkcs1(&[0x30, 0x21]), digest_info("md5")), ("rsa-pkcs1", None));
    }
}
