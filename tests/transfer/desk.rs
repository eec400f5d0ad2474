//! Where an officer sits: a directory for files, and the `chancery` command at a deployment.

use crate::{
    harness::{Deployment, expect_code},
    openssl::OpenSsl,
};
use serde_json::Value;
use std::{fs, process::Output};

/// The owner of the keys: a node of org1.
pub(crate) const OWNER: &str = "peer0";
/// Who uses them.
pub(crate) const NODE: &str = "org1-peer0";
/// Who moves them.
pub(crate) const OFFICER: &str = "org1-security";

/// See the module.
pub(crate) struct Desk<'d> {
    pub(crate) at: &'d Deployment,
    pub(crate) openssl: OpenSsl,
}

/// What the service said to a command that failed.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) exit_code: i64,
    /// Empty where the command itself refused.
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl<'d> Desk<'d> {
    pub(crate) fn at(at: &'d Deployment) -> Self {
        Self { at, openssl: OpenSsl::new() }
    }

    /// The path of a file here, which may not exist yet.
    pub(crate) fn path(&self, name: &str) -> String {
        self.openssl.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        self.openssl.file(name, content)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.openssl.path(name)).unwrap()
    }

    /// Runs the command with JSON as its output; words are separated by spaces, no file name has any.
    pub(crate) fn output(&self, client: &str, line: &str) -> Output {
        let words: Vec<_> = ["--output", "json"].into_iter().chain(line.split_whitespace()).collect();
        self.at.chancery(client, &words)
    }

    /// The answer to a command that must succeed; `Null` where it prints none.
    pub(crate) fn run(&self, client: &str, line: &str) -> Value {
        let output = self.output(client, line);
        assert!(output.status.success(), "chancery {line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Why a command was refused, which must not succeed, nor fail for want of anything.
    pub(crate) fn refused(&self, client: &str, line: &str) -> Refusal {
        let output = self.output(client, line);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "chancery {line} succeeded");
        // Warnings go before it.
        let json = error.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let json = json.unwrap_or_else(|| panic!("chancery {line}: {error}"));
        let text = |name: &str| json["error"][name].as_str().unwrap_or_default().to_owned();
        let exit_code = json["error"]["exit_code"].as_i64().unwrap();
        assert_ne!(exit_code, 70, "a caller's mistake is no failure of ours: chancery {line}: {error}");
        Refusal { exit_code, reason: text("reason"), message: text("message") }
    }

    /// Imports the private key in a file, for [`OWNER`]; `options` go to the command.
    pub(crate) fn import(&self, key: &str, file: &str, options: &str) -> Value {
        self.run(OFFICER, &self.importing(key, file, options))
    }

    /// The command line that imports.
    pub(crate) fn importing(&self, key: &str, file: &str, options: &str) -> String {
        let audit_key = self.at.dir().join("audit.vkey");
        format!("keys import {key} --in {file} --owner {OWNER} --audit-key {} {options}", audit_key.display())
    }

    /// The key's public key in a form of `keys public`.
    pub(crate) fn public(&self, key: &str, form: &str) -> String {
        let output = self.at.chancery(OFFICER, &["keys", "public", key, "--format", form]);
        expect_code(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Signs a message as [`NODE`]: the signature.
    pub(crate) fn sign(&self, key: &str, message: &[u8]) -> Vec<u8> {
        let (message, signature) = (self.file("message", message), self.path("signature"));
        self.run(NODE, &format!("sign {key} --in {message} --out {signature}"));
        self.read("signature")
    }

    /// A private key that openssl makes: its file.
    pub(crate) fn generate(&self, name: &str, how: &str) -> String {
        let path = self.path(name);
        self.openssl.text(&format!("{how} -out {path}"));
        path
    }

    /// The public key of a private key's file, PEM, as openssl has it.
    pub(crate) fn public_of(&self, private: &str) -> String {
        self.openssl.text(&format!("pkey -in {private} -pubout")).trim_start_matches(|c| c != '-').to_owned()
    }
}
