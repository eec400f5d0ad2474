//! The openssl command line, in a directory of its own.

use crate::model::{Algorithm, Hash};
use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What the openssl command line signs with.
pub(crate) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::EcP256,
    Algorithm::EcP384,
    Algorithm::EcP521,
    Algorithm::EcSecp256k1,
    Algorithm::Ed25519,
    Algorithm::Rsa2048,
    Algorithm::Rsa3072,
    Algorithm::Rsa4096,
    Algorithm::Sm2,
];

/// The option that tells openssl the user id of SM2, which is none by default.
pub(crate) fn user_id(option: &str, algorithm: Algorithm) -> String {
    if algorithm == Algorithm::Sm2 { format!("-{option} distid:1234567812345678") } else { String::new() }
}

/// The hashes that keys of an algorithm sign certificates with; some, for those that hash by themselves.
pub(crate) fn hashes(algorithm: Algorithm) -> &'static [Hash] {
    match algorithm {
        Algorithm::Sm2 => &[Hash::Sm3],
        _ => &[Hash::Sha256, Hash::Sha384, Hash::Sha512],
    }
}

/// A private key, PEM, and its SubjectPublicKeyInfo, DER.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) path: PathBuf,
    pub(crate) public: Vec<u8>,
    pub(crate) algorithm: Algorithm,
}

/// A certificate, DER; PEM at `path`.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) path: PathBuf,
    pub(crate) der: Vec<u8>,
}

pub(crate) struct Openssl {
    directory: tempfile::TempDir,
    files: Cell<u32>,
}

impl Openssl {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), files: Cell::new(0) }
    }

    /// A path that nothing has yet.
    pub(crate) fn path(&self) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.directory.path().join(self.files.get().to_string())
    }

    pub(crate) fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.path();
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs openssl with the words of `arguments`, then `paths` in place of each `@`.
    pub(crate) fn attempt(&self, arguments: &str, paths: &[&Path]) -> Output {
        let mut paths = paths.iter();
        let mut command = Command::new("openssl");
        for word in arguments.split_whitespace() {
            match word {
                "@" => command.arg(paths.next().expect("a path for each @")),
                word => command.arg(word),
            };
        }
        command.current_dir(self.directory.path()).output().expect("the openssl command line")
    }

    pub(crate) fn run(&self, arguments: &str, paths: &[&Path]) -> String {
        let output = self.attempt(arguments, paths);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "openssl {arguments}: {}", text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    }

    pub(crate) fn key(&self, algorithm: Algorithm) -> Key {
        let options = match algorithm {
            Algorithm::EcP256 => "EC -pkeyopt ec_paramgen_curve:P-256",
            Algorithm::EcP384 => "EC -pkeyopt ec_paramgen_curve:P-384",
            Algorithm::EcP521 => "EC -pkeyopt ec_paramgen_curve:P-521",
            Algorithm::EcSecp256k1 => "EC -pkeyopt ec_paramgen_curve:secp256k1",
            Algorithm::Ed25519 => "ED25519",
            Algorithm::Rsa2048 => "RSA -pkeyopt rsa_keygen_bits:2048",
            Algorithm::Rsa3072 => "RSA -pkeyopt rsa_keygen_bits:3072",
            Algorithm::Rsa4096 => "RSA -pkeyopt rsa_keygen_bits:4096",
            Algorithm::Sm2 => "EC -pkeyopt ec_paramgen_curve:SM2",
            Algorithm::X25519 => "X25519",
            other => panic!("the openssl command line makes no {other} keys"),
        };
        let path = self.path();
        self.run(&format!("genpkey -algorithm {options} -out @"), &[&path]);
        Key { public: self.public(&path), path, algorithm }
    }

    /// The SubjectPublicKeyInfo of a private key, DER.
    pub(crate) fn public(&self, key: &Path) -> Vec<u8> {
        let public = self.path();
        self.run("pkey -in @ -pubout -outform DER -out @", &[key, &public]);
        fs::read(public).unwrap()
    }

    /// What the enclave would do with the bytes to be signed.
    pub(crate) fn sign(&self, key: &Key, message: &[u8]) -> Vec<u8> {
        let (message, signature) = (self.file(message), self.path());
        match key.algorithm.default_hash() {
            None => self.run("pkeyutl -sign -rawin -inkey @ -in @ -out @", &[&key.path, &message, &signature]),
            Some(hash) => {
                let user_id = user_id("sigopt", key.algorithm);
                self.run(&format!("dgst -{hash} {user_id} -sign @ -out @ @"), &[&key.path, &signature, &message])
            }
        };
        fs::read(signature).unwrap()
    }

    /// A request made by openssl; `subject` as `/CN=…/OU=…`.
    pub(crate) fn request(&self, key: &Key, hash: Hash, subject: &str, more: &str) -> Vec<u8> {
        let request = self.path();
        let hash = if key.algorithm == Algorithm::Ed25519 { String::new() } else { format!("-{hash}") };
        let user_id = user_id("sigopt", key.algorithm);
        let arguments =
            format!("req -new -batch {hash} {user_id} -utf8 -subj {subject} {more} -key @ -outform DER -out @");
        self.run(&arguments, &[&key.path, &request]);
        fs::read(request).unwrap()
    }

    /// A self-signed certificate; `extensions` as `-addext a=b -addext c=d`.
    pub(crate) fn self_signed(&self, key: &Key, subject: &str, days: u32, extensions: &str) -> Certificate {
        let path = self.path();
        let user_id = user_id("sigopt", key.algorithm);
        let arguments =
            format!("req -x509 -new -batch {user_id} -utf8 -subj {subject} -days {days} {extensions} -key @ -out @");
        self.run(&arguments, &[&key.path, &path]);
        self.certificate(path)
    }

    /// A certificate authority's own certificate.
    pub(crate) fn authority(&self, key: &Key, subject: &str, days: u32) -> Certificate {
        self.self_signed(key, subject, days, "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign")
    }

    /// A certificate for `key` issued by an authority; `extensions` as lines of openssl's configuration.
    pub(crate) fn issue(
        &self,
        (authority, authority_key): (&Certificate, &Key),
        key: &Key,
        subject: &str,
        days: u32,
        extensions: &str,
    ) -> Certificate {
        let request = self.request(key, hashes(key.algorithm)[0], subject, "");
        // Without any extension openssl makes a certificate of version 1.
        let extensions = format!("subjectKeyIdentifier=hash\n{extensions}\n");
        let (request, extensions, path) = (self.file(&request), self.file(extensions.as_bytes()), self.path());
        let (serial, user_id) = (self.files.get(), user_id("vfyopt", key.algorithm));
        self.run(
            &format!("x509 -req {user_id} -inform DER -in @ -CA @ -CAkey @ -set_serial {serial} -days {days} -extfile @ -out @"),
            &[&request, &authority.path, &authority_key.path, &extensions, &path],
        );
        self.certificate(path)
    }

    /// A certificate in PEM.
    pub(crate) fn certificate(&self, path: PathBuf) -> Certificate {
        let der = self.path();
        self.run("x509 -in @ -outform DER -out @", &[&path, &der]);
        Certificate { der: fs::read(der).unwrap(), path }
    }

    /// A certificate in DER.
    pub(crate) fn certificate_from(&self, der: &[u8]) -> Certificate {
        let (from, path) = (self.file(der), self.path());
        self.run("x509 -inform DER -in @ -out @", &[&from, &path]);
        Certificate { der: der.to_owned(), path }
    }
}
