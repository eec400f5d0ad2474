//! A token directory of its own and an enclave process for each test, spoken to as chanceryd does.

#![allow(dead_code)] // each test binary uses its own part

use std::{
    fs,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::fs::PermissionsExt, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use chancery_ipc::{
    CreateDeployment, DeploymentCreated, EnsureKek, Fault, FaultReason, Frames, GenerateKey, InitializeToken, KekReady,
    KeyAlgorithm, KeyGenerated, KeyOrigin, KeyProtection, KeyPurpose, KeyRef, KeyUsed, Mechanism, Open, Opened,
    Request, Response, TokenAccess, UseKey, encode, request::Verb, response::Result as Reply,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const SPY: &str = "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so";
pub(crate) const LABEL: &str = "test token";
pub(crate) const PIN: &str = "a-user-pin-72519";
pub(crate) const DEPLOYMENT: &str = "deployment-1";
pub(crate) const ORIGIN: &str = "log.example/test";
const BINARY: &str = env!("CARGO_BIN_EXE_chancery-enclave");

/// A directory with SoftHSM's configuration, its tokens and the PIN files.
pub(crate) struct Host {
    pub(crate) dir: TempDir,
    pub(crate) library: String,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let tokens = dir.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let template = include_str!("../../../../softhsm/softhsm2.conf");
        fs::write(dir.path().join("softhsm2.conf"), template.replace("@TOKENS@", tokens.to_str().unwrap())).unwrap();
        let conf = dir.path().join("softhsm2.conf").to_str().unwrap().to_owned();
        let host = Self { dir, library: SOFTHSM.into(), environment: vec![("SOFTHSM2_CONF", conf)] };
        host.write_secret("pin", &format!("{PIN}\n"));
        host.write_secret("so-pin", "a-so-pin-88214\n");
        host
    }

    /// With an initialized token.
    pub(crate) fn with_token() -> Self {
        let host = Self::new();
        let mut enclave = host.start();
        let reply = enclave.call(host.initialize());
        assert!(matches!(reply, Reply::TokenInitialized(_)), "{reply:?}");
        assert_eq!(enclave.end().code(), Some(0));
        host
    }

    /// With a token that holds a deployment.
    pub(crate) fn with_deployment() -> (Self, DeploymentCreated) {
        let host = Self::with_token();
        let mut enclave = host.start();
        let created = enclave.create_deployment(&host);
        assert_eq!(enclave.end().code(), Some(0));
        (host, created)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Replaces the mechanisms that the token offers.
    pub(crate) fn limit_mechanisms(&self, list: &str) {
        let conf = fs::read_to_string(self.path("softhsm2.conf")).unwrap();
        fs::write(
            self.path("softhsm2.conf"),
            conf.replace("slots.mechanisms = ALL", &format!("slots.mechanisms = {list}")),
        )
        .unwrap();
    }

    /// Puts pkcs11-spy between the enclave and SoftHSM; its log is the file `spy`.
    pub(crate) fn spy(&mut self) {
        self.library = SPY.into();
        let log = self.path("spy").to_str().unwrap().to_owned();
        self.environment.extend([("PKCS11SPY", SOFTHSM.into()), ("PKCS11SPY_OUTPUT", log)]);
    }

    pub(crate) fn spied(&self, function: &str) -> usize {
        let log = String::from_utf8_lossy(&fs::read(self.path("spy")).unwrap()).into_owned();
        log.lines().filter(|line| line.ends_with(&format!(": {function}"))).count()
    }

    pub(crate) fn access(&self) -> TokenAccess {
        TokenAccess {
            library: self.library.clone(),
            label: LABEL.into(),
            pin_file: self.path("pin").to_str().unwrap().into(),
        }
    }

    pub(crate) fn initialize(&self) -> Verb {
        Verb::InitializeToken(InitializeToken {
            token: self.access(),
            so_pin_file: self.path("so-pin").to_str().unwrap().into(),
        })
    }

    pub(crate) fn open_request(&self, sessions: u32) -> Open {
        Open {
            token: self.access(),
            deployment: DEPLOYMENT.into(),
            origin: ORIGIN.into(),
            sessions,
            open_keys: 100,
            checkpoint: String::new(),
        }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdout(Stdio::null())
            .stderr(fs::File::options().create(true).append(true).open(self.path("log")).unwrap());
        command
    }

    /// A fresh enclave process.
    pub(crate) fn start(&self) -> Enclave {
        Enclave::start(self.command())
    }

    /// A fresh enclave process with the deployment open.
    pub(crate) fn open(&self, sessions: u32) -> (Enclave, Opened) {
        let mut enclave = self.start();
        match enclave.call(Verb::Open(self.open_request(sessions))) {
            Reply::Opened(opened) => (enclave, opened),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }
}

/// A running enclave and the service's end of its socket.
pub(crate) struct Enclave {
    pub(crate) child: Child,
    pub(crate) socket: UnixStream,
    frames: Frames,
    next: u64,
}

impl Enclave {
    pub(crate) fn start(mut command: Command) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let child = command.stdin(Stdio::from(OwnedFd::from(theirs))).spawn().unwrap();
        Self { child, socket: ours, frames: Frames::default(), next: 1 }
    }

    pub(crate) fn request(&mut self, verb: Verb, deadline_unix_millis: u64) -> Request {
        self.next += 1;
        Request { id: self.next, deadline_unix_millis, verb: Some(verb) }
    }

    pub(crate) fn send(&mut self, requests: &[Request]) {
        let mut bytes = Vec::new();
        for request in requests {
            encode(request, &mut bytes).unwrap();
        }
        self.socket.write_all(&bytes).unwrap();
    }

    /// The next reply, or `None` at end of file.
    pub(crate) fn receive(&mut self) -> Option<Response> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            if let Some(response) = self.frames.next_message::<Response>().unwrap() {
                return Some(response);
            }
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.frames.extend(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                // A read with a time limit is not restarted by the kernel.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn call(&mut self, verb: Verb) -> Reply {
        let request = self.request(verb, 0);
        self.send(std::slice::from_ref(&request));
        let response = self.receive().expect("a reply");
        assert_eq!(response.id, request.id);
        response.result.expect("a result")
    }

    pub(crate) fn fault(&mut self, verb: Verb) -> Fault {
        match self.call(verb) {
            Reply::Fault(fault) => fault,
            other => panic!("expected a fault, not {other:?}"),
        }
    }

    /// Expects a fault of this reason and gives its message.
    #[track_caller]
    pub(crate) fn refused(&mut self, verb: Verb, reason: FaultReason) -> String {
        let fault = self.fault(verb);
        assert_eq!(fault.reason(), reason, "{}", fault.message);
        assert!(!fault.maybe_performed, "{}", fault.message);
        fault.message
    }

    pub(crate) fn create_deployment(&mut self, host: &Host) -> DeploymentCreated {
        let request = CreateDeployment { token: host.access(), deployment: DEPLOYMENT.into() };
        match self.call(Verb::CreateDeployment(request)) {
            Reply::DeploymentCreated(created) => created,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn generate(&mut self, version: &str, algorithm: KeyAlgorithm) -> KeyGenerated {
        match self.call(generate(version, algorithm)) {
            Reply::KeyGenerated(generated) => {
                assert_eq!(generated.version, version);
                generated
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn sign(&mut self, version: &str, public_key: &[u8], mechanism: Mechanism, input: &[u8]) -> KeyUsed {
        match self.call(sign(version, public_key, mechanism, input)) {
            Reply::KeyUsed(signed) => {
                assert_eq!(signed.version, version);
                assert_eq!(signed.input_sha256, Sha256::digest(input).to_vec());
                signed
            }
            other => panic!("{other:?}"),
        }
    }

    /// Makes a key.
    pub(crate) fn make(&mut self, wanted: GenerateKey) -> Made {
        let purpose = wanted.purpose;
        let (algorithm, protection) = (wanted.algorithm, wanted.protection);
        match self.call(Verb::GenerateKey(wanted)) {
            Reply::KeyGenerated(made) => Made {
                key: KeyRef {
                    version: made.version,
                    public_key_sha256: Sha256::digest(&made.public_key).to_vec(),
                    algorithm,
                    purpose,
                    origin: KeyOrigin::Generated.into(),
                    protection,
                    wrapped: Vec::new(),
                },
                public_key: made.public_key,
                wrapped: made.wrapped,
            },
            other => panic!("{other:?}"),
        }
    }

    /// Makes a P-256 key of the enclave under generation 1.
    pub(crate) fn make_p256(&mut self, version: &str) -> Made {
        self.make(wanted(version, KeyAlgorithm::EcP256, KeyPurpose::Sign, KeyProtection::Enclave))
    }

    /// Uses a key as chanceryd does: first without its wrapped form.
    pub(crate) fn use_key(
        &mut self,
        made: &Made,
        mechanism: Mechanism,
        input: &[u8],
        associated_data: &[u8],
    ) -> Vec<u8> {
        self.used(made, UseKey { associated_data: associated_data.into(), ..made.use_request(mechanism, input) })
    }

    /// Uses a key as `request` says, and opens it for that if it is not open.
    pub(crate) fn used(&mut self, made: &Made, mut request: UseKey) -> Vec<u8> {
        let (mechanism, input_sha256) = (request.mechanism(), Sha256::digest(&request.input).to_vec());
        let mut reply = self.call(Verb::UseKey(request.clone()));
        if matches!(&reply, Reply::Fault(fault) if fault.reason() == FaultReason::KeyNotOpen) {
            request.key.wrapped.clone_from(&made.wrapped);
            reply = self.call(Verb::UseKey(request));
        }
        match reply {
            Reply::KeyUsed(used) => {
                assert_eq!(used.version, made.key.version);
                assert_eq!(used.input_sha256, input_sha256);
                used.output
            }
            other => panic!("{mechanism:?}: {other:?}"),
        }
    }

    pub(crate) fn ensure_kek(&mut self, generation: u64) -> KekReady {
        match self.call(Verb::EnsureKek(EnsureKek { organization: "org1".into(), generation })) {
            Reply::KekReady(ready) => ready,
            other => panic!("{other:?}"),
        }
    }

    /// Closes the socket and waits for the process to end.
    pub(crate) fn end(self) -> ExitStatus {
        let Self { mut child, socket, .. } = self;
        drop(socket);
        wait(&mut child)
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the enclave did not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A key that was made.
#[derive(Clone)]
pub(crate) struct Made {
    /// As chanceryd registers it, without its wrapped form.
    pub(crate) key: KeyRef,
    pub(crate) public_key: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
}

impl Made {
    /// A use without the wrapped form.
    pub(crate) fn use_request(&self, mechanism: Mechanism, input: &[u8]) -> UseKey {
        UseKey {
            key: self.key.clone(),
            mechanism: mechanism.into(),
            input: input.into(),
            associated_data: Vec::new(),
            iv: Vec::new(),
        }
    }

    /// A signature with ECDSA, the wrapped form with it.
    pub(crate) fn sign_opening(&self) -> Verb {
        let mut request = self.use_request(Mechanism::Ecdsa, &[1; 32]);
        request.key.wrapped.clone_from(&self.wrapped);
        Verb::UseKey(request)
    }

    /// A signature with ECDSA by a key that should be open.
    pub(crate) fn sign(&self) -> Verb {
        Verb::UseKey(self.use_request(Mechanism::Ecdsa, &[1; 32]))
    }
}

/// A key to make, in the enclave under generation 1.
pub(crate) fn wanted(
    version: &str,
    algorithm: KeyAlgorithm,
    purpose: KeyPurpose,
    protection: KeyProtection,
) -> GenerateKey {
    GenerateKey {
        version: version.into(),
        algorithm: algorithm.into(),
        purpose: purpose.into(),
        protection: protection.into(),
        kek_generation: 1,
    }
}

pub(crate) fn version(number: u32) -> String {
    format!("organizations/org1/keys/key{number}/versions/1")
}

pub(crate) fn generate(version: &str, algorithm: KeyAlgorithm) -> Verb {
    Verb::GenerateKey(GenerateKey {
        version: version.into(),
        algorithm: algorithm.into(),
        purpose: KeyPurpose::Sign.into(),
        protection: KeyProtection::Token.into(),
        kek_generation: 0,
    })
}

/// A signing key of the token. The algorithm stands in its public key.
pub(crate) fn key_ref(version: &str, public_key: &[u8]) -> KeyRef {
    KeyRef {
        version: version.into(),
        public_key_sha256: Sha256::digest(public_key).to_vec(),
        algorithm: algorithm_of(public_key).into(),
        purpose: KeyPurpose::Sign.into(),
        origin: KeyOrigin::Generated.into(),
        protection: KeyProtection::Token.into(),
        wrapped: Vec::new(),
    }
}

/// The algorithm of a SubjectPublicKeyInfo, judged by what only it contains: curve, or length of the modulus.
pub(crate) fn algorithm_of(public_key: &[u8]) -> KeyAlgorithm {
    let has = |oid: &[u8]| public_key.windows(oid.len()).take(30).any(|window| window == oid);
    match public_key.len() {
        _ if has(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]) => KeyAlgorithm::EcP256,
        _ if has(&[0x2b, 0x81, 4, 0, 34]) => KeyAlgorithm::EcP384,
        _ if has(&[0x2b, 0x81, 4, 0, 35]) => KeyAlgorithm::EcP521,
        _ if has(&[0x2b, 0x81, 4, 0, 10]) => KeyAlgorithm::EcSecp256k1,
        _ if has(&[6, 3, 0x2b, 0x65, 112]) => KeyAlgorithm::Ed25519,
        256..=383 => KeyAlgorithm::Rsa2048,
        384..=511 => KeyAlgorithm::Rsa3072,
        512.. => KeyAlgorithm::Rsa4096,
        _ => panic!("no public key of the token's"),
    }
}

pub(crate) fn sign(version: &str, public_key: &[u8], mechanism: Mechanism, input: &[u8]) -> Verb {
    Verb::UseKey(UseKey {
        key: key_ref(version, public_key),
        mechanism: mechanism.into(),
        input: input.into(),
        associated_data: Vec::new(),
        iv: Vec::new(),
    })
}

/// r ‖ s as the DER that OpenSSL reads; written apart from the enclave's own encoder.
pub(crate) fn ecdsa_der(raw: &[u8]) -> Vec<u8> {
    fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        if body.len() >= 128 {
            out.push(0x81);
        }
        out.push(u8::try_from(body.len()).unwrap());
        out.extend(body);
        out
    }
    let integer = |bytes: &[u8]| {
        let mut body: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if body.first().is_none_or(|byte| byte & 0x80 != 0) {
            body.insert(0, 0);
        }
        tlv(2, &body)
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    tlv(0x30, &[integer(r), integer(s)].concat())
}

/// Whether the `openssl` command line accepts a signature. `arguments` follow the subcommand.
pub(crate) fn openssl_accepts(public_key: &[u8], input: &[u8], signature: &[u8], arguments: &[&str]) -> bool {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = file("key.der", public_key);
    let input = file("input", input);
    let signature = file("signature", signature);
    let mut command = Command::new("openssl");
    match arguments {
        ["pkeyutl", rest @ ..] => {
            command.args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", &key]).args(rest);
            command.args(["-in", &input, "-sigfile", &signature]);
        }
        ["dgst", rest @ ..] => {
            command.arg("dgst").args(rest);
            command.args(["-keyform", "DER", "-verify", &key, "-signature", &signature, &input]);
        }
        other => panic!("{other:?}"),
    }
    command.output().unwrap().status.success()
}

pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

impl Host {
    /// Another program that sees this host's tokens.
    pub(crate) fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}
