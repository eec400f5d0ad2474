//! A deployment where org1 has two security officers, `security` and `second`, and needs both.

use crate::{
    harness::Deployment,
    shared::{ORG1, call, id},
};
use chancery_api::v1::{NewPrincipal, RegisterPrincipalRequest};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// Who asks.
pub(crate) const OFFICER: &str = "org1-security";
/// Who approves.
pub(crate) const SECOND: &str = "org1-second";
/// Who uses keys.
pub(crate) const NODE: &str = "org1-peer0";

/// What became of a command that was refused.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) exit_code: i64,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// See the module.
pub(crate) struct Place(pub(crate) Deployment);

impl Place {
    /// With what `[officers]` says beside `second_officer`.
    pub(crate) async fn new(officers: &str) -> Self {
        let mut place = Self(Deployment::start());
        place.issue("org1-second", "second", None);
        place.register("org1-second", "second").await;
        place.0.stop();
        let path = place.0.dir().join("chancery.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("second_officer = false"), "{text}");
        let on = format!("second_officer = true\n{officers}");
        fs::write(&path, text.replace("second_officer = false", &on)).unwrap();
        place.0.serve();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.dir().join(name)
    }

    /// The public key of a client: SubjectPublicKeyInfo, DER.
    pub(crate) fn public_key(&self, client: &str) -> Vec<u8> {
        let file = format!("clients/{client}/public.der");
        self.openssl(&format!("pkey -in clients/{client}/key.pem -pubout -outform DER -out {file}"));
        fs::read(self.path(&file)).unwrap()
    }

    fn openssl(&self, arguments: &str) {
        let output =
            Command::new("openssl").args(arguments.split_whitespace()).current_dir(self.0.dir()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A client of org1 with a certificate of its own, and the key of another client if one is named.
    pub(crate) fn issue(&self, client: &str, name: &str, key_of: Option<&str>) {
        let home = format!("clients/{client}");
        fs::create_dir(self.path(&home)).unwrap();
        match key_of {
            Some(other) => {
                fs::copy(self.path(&format!("clients/{other}/key.pem")), self.path(&format!("{home}/key.pem")))
                    .unwrap();
            }
            None => {
                self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {home}/key.pem"))
            }
        }
        self.openssl(&format!("req -new -key {home}/key.pem -subj /O=org1/CN={name} -out {home}/csr.pem"));
        let extensions = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n";
        fs::write(self.path(&format!("{home}/extensions")), extensions).unwrap();
        self.openssl(&format!(
            "x509 -req -in {home}/csr.pem -CA identity/org1.pem -CAkey identity/org1.key -CAcreateserial -days 7 -extfile \
             {home}/extensions -out {home}/cert.pem"
        ));
        for file in ["client.toml", "ca.pem", "audit.vkey"] {
            fs::copy(self.path(&format!("clients/{OFFICER}/{file}")), self.path(&format!("{home}/{file}"))).unwrap();
        }
    }

    /// Makes the holder of a client's key a security officer.
    pub(crate) async fn register(&self, client: &str, name: &str) {
        let certificate = fs::read(self.path(&format!("clients/{client}/cert.pem"))).unwrap();
        let request = RegisterPrincipalRequest {
            parent: ORG1.into(),
            principal: Some(NewPrincipal { role: "security-officer".into(), certificate }),
            request_id: id(),
            confirm: name.into(),
        };
        let officer = self.0.client(OFFICER).await;
        call(officer.admin().register_principal(request)).await.unwrap();
    }

    fn output(&self, client: &str, line: &str) -> Output {
        let words: Vec<_> = ["--output", "json"].into_iter().chain(line.split_whitespace()).collect();
        self.0.chancery(client, &words)
    }

    /// The answer to a command that must succeed; `Null` where it prints none.
    pub(crate) fn run(&self, client: &str, line: &str) -> Value {
        let output = self.output(client, line);
        assert!(output.status.success(), "chancery {line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Why a command was refused.
    pub(crate) fn refused(&self, client: &str, line: &str) -> Refusal {
        let output = self.output(client, line);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "chancery {line} succeeded");
        let json = error.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let json = json.unwrap_or_else(|| panic!("chancery {line}: {error}"));
        let text = |name: &str| json["error"][name].as_str().unwrap_or_default().to_owned();
        let exit_code = json["error"]["exit_code"].as_i64().unwrap();
        Refusal { exit_code, reason: text("reason"), message: text("message") }
    }

    /// The approval that a command of [`OFFICER`] needs, which it must name.
    pub(crate) fn asked(&self, line: &str) -> String {
        let refusal = self.refused(OFFICER, line);
        assert_eq!(
            (refusal.exit_code, refusal.reason.as_str()),
            (65, "APPROVAL_NEEDED"),
            "{line}: {}",
            refusal.message
        );
        let words = refusal.message.split(|c: char| c.is_whitespace() || c == '`' || c == ':');
        let mut names = words.filter(|word| word.contains("/approvals/"));
        names.next().unwrap_or_else(|| panic!("{line}: {}", refusal.message)).to_owned()
    }

    /// Has [`SECOND`] approve, and the command work: its answer.
    pub(crate) fn approved(&self, line: &str) -> Value {
        self.run(SECOND, &format!("approvals approve {}", self.asked(line)));
        self.run(OFFICER, line)
    }

    /// A key of peer0 in the enclave: its name.
    pub(crate) fn key(&self, name: &str) -> String {
        let key = crate::shared::key(name);
        self.run(OFFICER, &format!("keys create {key} --algorithm ec-p256 --protection enclave --owner peer0"));
        key
    }

    /// The state of a version.
    pub(crate) fn state(&self, key: &str, number: usize) -> String {
        let shown = self.run(OFFICER, &format!("keys show {key}"));
        shown["versions"][number - 1]["state"].as_str().unwrap_or_else(|| panic!("{shown:#}")).to_owned()
    }

    /// Names of the approvals that are open, or all.
    pub(crate) fn approvals(&self, options: &str) -> Vec<String> {
        let listed = self.run(OFFICER, &format!("approvals list org1 {options}"));
        listed.as_array().unwrap().iter().map(|approval| approval["name"].as_str().unwrap().to_owned()).collect()
    }
}
