//! SHA-256 fingerprints, given as hexadecimal or as the file that they are of.

use super::certificate;
use crate::{failure::CliError, files, pem};
use sha2::{Digest as _, Sha256};
use std::{convert::Infallible, path::PathBuf, str::FromStr};

/// What was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fingerprint {
    Sha256([u8; 32]),
    Of(PathBuf),
}

impl FromStr for Fingerprint {
    type Err = Infallible;

    /// 64 hexadecimal digits, with colons between them or without; anything else names a file.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut sha256 = [0; 32];
        Ok(match hex::decode_to_slice(text.replace(':', ""), &mut sha256) {
            Ok(()) => Self::Sha256(sha256),
            Err(_) => Self::Of(text.into()),
        })
    }
}

impl Fingerprint {
    /// Of a certificate's DER.
    pub(super) fn of_certificate(&self) -> Result<[u8; 32], CliError> {
        match self {
            Self::Sha256(sha256) => Ok(*sha256),
            Self::Of(path) => Ok(certificate::read(path)?.sha256()),
        }
    }

    /// Of a SubjectPublicKeyInfo; a certificate's file will do.
    pub(super) fn of_public_key(&self) -> Result<[u8; 32], CliError> {
        match self {
            Self::Sha256(sha256) => Ok(*sha256),
            Self::Of(path) => Ok(Sha256::digest(pem::public_key(path, &files::read(path, pem::MAX_FILE)?)?).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_with_colons_or_without_and_files() {
        let plain = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        for text in [plain.as_str(), &colons] {
            assert_eq!(text.parse(), Ok(Fingerprint::Sha256([0xab; 32])));
        }
        for text in ["ab", "peer0.pem", &plain[2..], &format!("{plain}00")] {
            assert_eq!(text.parse(), Ok(Fingerprint::Of(text.into())));
        }
    }
}
