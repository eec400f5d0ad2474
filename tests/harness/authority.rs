//! Certificate authorities of organizations, in files: certificates for clients, and by openssl their own, proofs and
//! revocation lists.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part; a test has no public")]

use crate::harness::Deployment;
use chancery_client::{Client, ClientConfig};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// An authority's directory: `ca.pem` and `ca.key`.
pub struct Authority(TempDir);

/// What a revocation list says; [`List::default`] is a sound one without entries.
pub struct List<'a> {
    /// CRL number; `None`: the list has none.
    pub number: Option<u64>,
    /// Serial numbers of what it revokes.
    pub revoked: &'a [u64],
    /// thisUpdate and nextUpdate, in seconds from now.
    pub from: i64,
    pub until: i64,
    /// Further extensions, as openssl's configuration has them.
    pub extensions: &'a str,
}

impl Default for List<'_> {
    fn default() -> Self {
        Self { number: Some(1), revoked: &[], from: -60, until: 3600, extensions: "" }
    }
}

/// Seconds since the Unix epoch.
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Runs openssl on words separated by spaces; no file name has any.
fn openssl(arguments: &str) -> Output {
    let output = Command::new("openssl").args(arguments.split_whitespace()).output();
    output.expect("the openssl command is needed")
}

fn succeed(output: &Output) {
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}

impl Authority {
    /// A new one, with a key of these options for `openssl genpkey`, and this name.
    pub fn new(key: &str, subject: &str) -> Self {
        Self::with(key, subject, "keyUsage=critical,keyCertSign,cRLSign", 3650)
    }

    /// A new one that says of itself what `extension` says, and that is valid for so many days.
    pub fn with(key: &str, subject: &str, extension: &str, days: u32) -> Self {
        let ca = Self(TempDir::new().unwrap());
        succeed(&openssl(&format!("genpkey {key} -out {}", ca.path("ca.key"))));
        let arguments = format!(
            "req -x509 -new -key {} -out {} -days {days} -subj {subject} -addext {extension}",
            ca.path("ca.key"),
            ca.path("ca.pem")
        );
        succeed(&openssl(&arguments));
        ca
    }

    /// A new one on P-256.
    pub fn p256(subject: &str) -> Self {
        Self::new("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", subject)
    }

    /// The identity CA of a `chanceryd dev` organization.
    pub fn of(deployment: &Deployment, organization: &str) -> Self {
        let ca = Self(TempDir::new().unwrap());
        for kind in ["pem", "key"] {
            let from = deployment.dir().join(format!("identity/{organization}.{kind}"));
            fs::copy(from, ca.path(&format!("ca.{kind}"))).unwrap();
        }
        ca
    }

    /// One whose certificate this one issues.
    pub fn intermediate(&self, subject: &str) -> Self {
        let ca = Self::p256(subject);
        let extensions = ca.path("ext");
        fs::write(&extensions, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n").unwrap();
        succeed(&openssl(&format!("req -new -key {} -subj {subject} -out {}", ca.path("ca.key"), ca.path("csr"))));
        succeed(&openssl(&format!(
            "x509 -req -in {} -CA {} -CAkey {} -days 30 -set_serial 77 -extfile {extensions} -out {}",
            ca.path("csr"),
            self.path("ca.pem"),
            self.path("ca.key"),
            ca.path("ca.pem")
        )));
        ca
    }

    /// Another certificate of the same key and name.
    pub fn renewed(&self, subject: &str) -> Self {
        let ca = Self(TempDir::new().unwrap());
        fs::copy(self.path("ca.key"), ca.path("ca.key")).unwrap();
        succeed(&openssl(&format!(
            "req -x509 -new -key {} -out {} -days 99 -subj {subject} -addext keyUsage=critical,keyCertSign,cRLSign",
            ca.path("ca.key"),
            ca.path("ca.pem")
        )));
        ca
    }

    /// A file in its directory.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> Vec<u8> {
        fs::read(self.path("ca.pem")).unwrap()
    }

    /// Its certificate, DER.
    pub fn der(&self) -> Vec<u8> {
        succeed(&openssl(&format!("x509 -in {} -outform DER -out {}", self.path("ca.pem"), self.path("ca.der"))));
        fs::read(self.path("ca.der")).unwrap()
    }

    /// Its key's signature over `text`, by openssl: of SHA-256, or with `raw` as Ed25519 has it.
    pub fn proof(&self, text: &[u8], raw: bool) -> Vec<u8> {
        fs::write(self.path("text"), text).unwrap();
        let (key, text, out) = (self.path("ca.key"), self.path("text"), self.path("proof"));
        succeed(&openssl(&match raw {
            false => format!("dgst -sha256 -sign {key} -out {out} {text}"),
            true => format!("pkeyutl -sign -rawin -inkey {key} -in {text} -out {out}"),
        }));
        fs::read(out).unwrap()
    }

    /// A revocation list, PEM.
    pub fn list(&self, list: &List<'_>) -> Vec<u8> {
        let entries = list.revoked.iter().map(|serial| {
            let serial = format!("{serial:x}");
            let even = if serial.len() % 2 == 1 { format!("0{serial}") } else { serial };
            format!("R\t350101000000Z\t260101000000Z\t{}\tunknown\t/CN=x\n", even.to_uppercase())
        });
        fs::write(self.path("index"), entries.collect::<String>()).unwrap();
        let mut config =
            format!("[ca]\ndefault_ca=d\n[d]\ndatabase={}\ndefault_md=sha256\ncrl_extensions=e\n", self.path("index"));
        if let Some(number) = list.number {
            fs::write(self.path("number"), format!("{number:08X}\n")).unwrap();
            config += &format!("crlnumber={}\n", self.path("number"));
        }
        config += &format!("[e]\nauthorityKeyIdentifier=keyid\n{}\n", list.extensions);
        fs::write(self.path("config"), config).unwrap();
        let time = |offset: i64| {
            let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(offset);
            at.strftime("%Y%m%d%H%M%SZ").to_string()
        };
        succeed(&openssl(&format!(
            "ca -gencrl -config {} -keyfile {} -cert {} -crl_lastupdate {} -crl_nextupdate {} -out {}",
            self.path("config"),
            self.path("ca.key"),
            self.path("ca.pem"),
            time(list.from),
            time(list.until),
            self.path("crl.pem")
        )));
        fs::read(self.path("crl.pem")).unwrap()
    }

    /// A client's certificate and key, PEM, with this common name, organizational unit, serial number, and seconds to
    /// its expiry.
    pub fn issue(&self, name: &str, unit: &str, serial: u64, lifetime: i64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let ca = String::from_utf8(self.pem()).unwrap();
        let ca_key = KeyPair::from_pem(&fs::read_to_string(self.path("ca.key")).unwrap()).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&ca, ca_key).unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.distinguished_name.push(DnType::OrganizationalUnitName, unit);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.serial_number = Some(SerialNumber::from(serial));
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after =
            date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds().saturating_add_signed(lifetime));
        (parameters.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A client with such a certificate, valid for an hour.
    pub fn member(&self, deployment: &Deployment, name: &str, unit: &str, serial: u64) -> Member {
        let (certificate, key) = self.issue(name, unit, serial, 3600);
        Member::new(deployment, &certificate, &key)
    }
}

/// A client's credentials.
pub struct Member {
    home: TempDir,
    /// Its certificate, PEM.
    pub certificate: String,
}

impl Member {
    /// From a certificate and its key, PEM.
    pub fn new(deployment: &Deployment, certificate: &str, key: &str) -> Self {
        let home = TempDir::new().unwrap();
        let ca = fs::read_to_string(deployment.client_dir("org1-peer0").join("ca.pem")).unwrap();
        let address = deployment.address();
        let config = format!(
            "address = \"{address}\"\nca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\ndeadline = \"20s\"\n"
        );
        for (name, text) in
            [("ca.pem", ca.as_str()), ("cert.pem", certificate), ("key.pem", key), ("client.toml", &config)]
        {
            fs::write(home.path().join(name), text).unwrap();
        }
        Self { home, certificate: certificate.to_owned() }
    }

    /// Its client.toml.
    pub fn config(&self) -> PathBuf {
        self.home.path().join("client.toml")
    }

    /// Connects, which TLS 1.3 lets anybody do until the first answer.
    pub async fn connect(&self) -> Client {
        Client::connect(&ClientConfig::load(&self.config()).unwrap()).await.unwrap()
    }
}
