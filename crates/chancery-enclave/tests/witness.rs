//! The enclave as the log's first witness: its chain, its statements, and what it demands of the log before it goes on.

mod harness;

use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{Frontier, Hash, leaf_hash, node_hash, proof},
    operations::{Chain, MOST_UNSHOWN, signature_commitment, statement_text},
    record::{Kind, Record, Statement},
};
use chancery_ipc::{
    FaultReason, KeyAlgorithm, KeyOrigin, KeyProtection, KeyPurpose, KeyRef, Mechanism, Open, Opened, Operation,
    ShownStatement, SignCheckpoint, SignStatement, StatementSigned, UseKey, request::Verb, response::Result as Reply,
};
use harness::*;
use prost::Message;
use sha2::{Digest, Sha256};

/// The service's side: records, their tree, and the notes of its checkpoints.
struct Log {
    key: VerifierKey,
    records: Vec<Vec<u8>>,
    /// Size and note of the last checkpoint.
    last: (u64, String),
}

/// Hashes made from the leaves each time.
struct Naive<'l>(&'l [Vec<u8>]);

impl proof::Nodes for Naive<'_> {
    type Error = std::convert::Infallible;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        match level {
            0 => Ok(leaf_hash(&self.0[usize::try_from(index).unwrap()])),
            _ => Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?)),
        }
    }
}

fn vecs(hashes: Vec<Hash>) -> Vec<Vec<u8>> {
    hashes.into_iter().map(|hash| hash.to_vec()).collect()
}

impl Log {
    fn size(&self) -> u64 {
        self.records.len() as u64
    }

    fn root(&self) -> Hash {
        let mut tree = Frontier::default();
        self.records.iter().for_each(|record| tree.push(leaf_hash(record)));
        tree.root()
    }

    /// A request for a checkpoint of everything, as the service makes it.
    fn request(&self) -> SignCheckpoint {
        let Ok(consistency) = proof::consistency(self.last.0, self.size(), &mut Naive(&self.records));
        let (size, root) = (self.size(), self.root().to_vec());
        SignCheckpoint { size, root, consistency: vecs(consistency), statements: Vec::new() }
    }

    /// The same, showing the record at `index`.
    fn showing(&self, index: u64) -> SignCheckpoint {
        let Ok(path) = proof::inclusion(index, self.size(), &mut Naive(&self.records));
        let record = self.records[usize::try_from(index).unwrap()].clone();
        let statements = vec![ShownStatement { index, record, path: vecs(path) }];
        SignCheckpoint { statements, ..self.request() }
    }

    /// Has a checkpoint signed, which the audit key's text form accepts.
    #[track_caller]
    fn checkpoint(&mut self, enclave: &mut Enclave, request: SignCheckpoint) {
        let (size, root) = (request.size, self.root());
        let signature = match enclave.call(Verb::SignCheckpoint(request)) {
            Reply::CheckpointSigned(signed) => signed.signature,
            other => panic!("{other:?}"),
        };
        let note = self.key.sign_note(&Checkpoint { origin: ORIGIN.into(), size, root }, &signature);
        assert_eq!(self.key.open_note(&note).unwrap().size, size);
        self.last = (size, note);
    }

    /// Appends a statement's record; its index.
    fn append(&mut self, statement: &StatementSigned) -> u64 {
        let StatementSigned { incarnation, operations, running_hash, signature } = statement.clone();
        let statement = Some(Statement { incarnation, operations, running_hash, signature });
        let index = self.size();
        let record = Record { index, kind: Kind::Statement.into(), statement, salt: vec![7; 16], ..Record::default() };
        self.records.push(record.encode_to_vec());
        index
    }
}

/// A deployment whose log has a checkpoint of three records.
fn begun() -> (Host, Log) {
    let host = Host::with_token();
    let mut ceremony = host.start();
    let created = ceremony.create_deployment(&host);
    let key = VerifierKey::from_spki(ORIGIN, &created.audit_public_key).unwrap();
    assert!(matches!(ceremony.call(Verb::Open(host.open_request(1))), Reply::Opened(_)));
    let records = vec![b"genesis".to_vec(), b"one".to_vec(), b"two".to_vec()];
    let mut log = Log { key, records, last: (0, String::new()) };
    log.checkpoint(&mut ceremony, log.request());
    assert_eq!(ceremony.end().code(), Some(0));
    (host, log)
}

fn open(host: &Host, log: &Log) -> (Enclave, Opened) {
    let mut enclave = host.start();
    match enclave.call(Verb::Open(Open { checkpoint: log.last.1.clone(), ..host.open_request(2) })) {
        Reply::Opened(opened) => (enclave, opened),
        other => panic!("{other:?}"),
    }
}

fn state(enclave: &mut Enclave) -> StatementSigned {
    match enclave.call(Verb::SignStatement(SignStatement {})) {
        Reply::StatementSigned(signed) => signed,
        other => panic!("{other:?}"),
    }
}

fn used(enclave: &mut Enclave, verb: Verb) -> (Operation, Vec<u8>) {
    match enclave.call(verb) {
        Reply::KeyUsed(used) => (used.operation, used.output),
        other => panic!("{other:?}"),
    }
}

/// From what replies say, and for signatures from input and output alone, the chain comes out as it is stated.
#[test]
fn the_chain_is_recomputed_from_outside_and_the_statement_is_the_audit_keys() {
    let (host, log) = begun();
    let (mut enclave, opened) = open(&host, &log);
    let incarnation: [u8; 16] = opened.incarnation.clone().try_into().unwrap();
    enclave.ensure_kek(1);
    let mut chain = Chain::new(&incarnation);
    let mut follow = |operation: &Operation, mechanism: &str, commitment: Option<Hash>| {
        assert_eq!((operation.mechanism.as_str(), &operation.incarnation), (mechanism, &opened.incarnation));
        let committed: Hash = operation.commitment.clone().try_into().unwrap();
        assert!(commitment.is_none_or(|expected| expected == committed), "{mechanism}");
        assert_eq!(chain.extend(&operation.version, mechanism, &committed), operation.number);
        (chain.operations(), *chain.link())
    };
    let ec = enclave.generate(&version(1), KeyAlgorithm::EcP256);
    follow(&ec.operation, "generate", None);
    let rsa = enclave.generate(&version(2), KeyAlgorithm::Rsa2048);
    follow(&rsa.operation, "generate", None);
    let edwards = enclave.generate(&version(3), KeyAlgorithm::Ed25519);
    follow(&edwards.operation, "generate", None);

    let digest = Sha256::digest(b"a message");
    let (operation, output) = used(&mut enclave, sign(&version(1), &ec.public_key, Mechanism::Ecdsa, &digest));
    // Of ECDSA only r: SHA-256(SHA-256(input) ‖ SHA-256(r)).
    let expected = Sha256::new().chain_update(Sha256::digest(digest)).chain_update(Sha256::digest(&output[..32]));
    follow(&operation, "ecdsa", Some(expected.finalize().into()));
    let info = [&hex::decode("3031300d060960864801650304020105000420").unwrap()[..], &digest].concat();
    let (operation, output) = used(&mut enclave, sign(&version(2), &rsa.public_key, Mechanism::RsaPkcs1, &info));
    let expected = signature_commitment("rsa-pkcs1-sha256", &Sha256::digest(&info).into(), &output);
    follow(&operation, "rsa-pkcs1-sha256", Some(expected));
    let (operation, output) = used(&mut enclave, sign(&version(3), &edwards.public_key, Mechanism::Eddsa, b"text"));
    let expected = Sha256::new().chain_update(Sha256::digest(b"text")).chain_update(Sha256::digest(&output));
    follow(&operation, "ed25519", Some(expected.finalize().into()));

    let secret = wanted(&version(4), KeyAlgorithm::HmacSha256, KeyPurpose::Mac, KeyProtection::Enclave);
    let Reply::KeyGenerated(made) = enclave.call(Verb::GenerateKey(secret.clone())) else { panic!() };
    let (operations, link) = follow(&made.operation, "generate", None);
    let signed = state(&mut enclave);
    assert_eq!((signed.operations, &signed.running_hash[..]), (operations, &link[..]));
    assert_eq!((operations, &signed.incarnation), (7, &opened.incarnation));
    assert!(log.key.verify(&statement_text(ORIGIN, &incarnation, 7, &link), &signed.signature));

    let key = KeyRef {
        version: made.version,
        public_key_sha256: Sha256::digest([]).to_vec(),
        algorithm: secret.algorithm,
        purpose: secret.purpose,
        origin: KeyOrigin::Generated.into(),
        protection: secret.protection,
        wrapped: made.wrapped,
    };
    let (mechanism, input) = (Mechanism::HmacSha256.into(), b"x".to_vec());
    let code = Verb::UseKey(UseKey { key, mechanism, input, associated_data: Vec::new(), iv: Vec::new() });
    let [(one, output), (two, same)] = [(); 2].map(|()| used(&mut enclave, code.clone()));
    assert_eq!(output, same);
    assert_ne!(one.commitment, two.commitment, "of a secret nothing is committed to");
    follow(&one, "hmac", None);
    let (operations, link) = follow(&two, "hmac", None);
    let signed = state(&mut enclave);
    assert_eq!((signed.operations, &signed.running_hash[..]), (operations, &link[..]));
}

#[test]
fn the_enclave_goes_on_only_when_the_log_has_shown_its_statement() {
    let (host, mut log) = begun();
    let (mut enclave, _) = open(&host, &log);
    let key = enclave.generate(&version(1), KeyAlgorithm::EcP256).public_key;
    let verb = sign(&version(1), &key, Mechanism::Ecdsa, &[1; 32]);
    let many: Vec<_> = (1..MOST_UNSHOWN).map(|_| enclave.request(verb.clone(), 0)).collect();
    for some in many.chunks(500) {
        enclave.send(some);
        for _ in some {
            let result = enclave.receive().unwrap().result.unwrap();
            assert!(matches!(&result, Reply::KeyUsed(_)), "{result:?}");
        }
    }
    let message = enclave.refused(verb.clone(), FaultReason::Unwitnessed);
    assert!(message.contains("4096"), "{message}");
    enclave.refused(generate(&version(2), KeyAlgorithm::EcP256), FaultReason::Unwitnessed);

    // A statement alone makes no room, nor does one in the log before a checkpoint.
    let signed = state(&mut enclave);
    assert_eq!(signed.operations, MOST_UNSHOWN);
    let index = log.append(&signed);
    enclave.refused(verb.clone(), FaultReason::Unwitnessed);
    log.checkpoint(&mut enclave, log.request());
    enclave.refused(verb.clone(), FaultReason::Unwitnessed);

    // Nor one that is not in the tree, was changed, or is another's.
    let shown = log.showing(index);
    let mut elsewhere = shown.clone();
    elsewhere.statements[0].index -= 1;
    enclave.refused(Verb::SignCheckpoint(elsewhere), FaultReason::CheckpointRefused);
    let mut changed = shown.clone();
    changed.statements[0].record[20] ^= 1;
    enclave.refused(Verb::SignCheckpoint(changed), FaultReason::CheckpointRefused);
    let mut short = shown.clone();
    short.statements[0].path.pop();
    enclave.refused(Verb::SignCheckpoint(short), FaultReason::CheckpointRefused);
    for forged in [
        StatementSigned { operations: signed.operations + 1, ..signed.clone() },
        StatementSigned { incarnation: vec![0; 16], ..signed.clone() },
        StatementSigned { running_hash: vec![0; 32], ..signed.clone() },
    ] {
        let forged = log.append(&forged);
        let message = enclave.refused(Verb::SignCheckpoint(log.showing(forged)), FaultReason::CheckpointRefused);
        assert!(message.contains(&format!("record {forged} shows no statement")), "{message}");
    }
    enclave.refused(Verb::SignCheckpoint(log.showing(0)), FaultReason::CheckpointRefused);
    enclave.refused(verb.clone(), FaultReason::Unwitnessed);

    log.checkpoint(&mut enclave, log.showing(index));
    let (operation, _) = used(&mut enclave, verb);
    assert_eq!(operation.number, MOST_UNSHOWN + 1, "what was refused has no number");
}

#[test]
fn a_checkpoint_must_extend_the_last_one() {
    let (host, mut log) = begun();
    let (mut enclave, _) = open(&host, &log);
    log.records.extend([b"three".to_vec(), b"four".to_vec()]);
    let good = log.request();
    let refused = |enclave: &mut Enclave, request: SignCheckpoint, part: &str| {
        let message = enclave.refused(Verb::SignCheckpoint(request), FaultReason::CheckpointRefused);
        assert!(message.contains(part), "{message}");
    };
    refused(&mut enclave, SignCheckpoint { consistency: Vec::new(), ..good.clone() }, "0 hashes where");
    let mut wrong = good.clone();
    wrong.consistency[0][0] ^= 1;
    refused(&mut enclave, wrong, "history was rewritten");
    refused(&mut enclave, SignCheckpoint { root: vec![1; 32], ..good.clone() }, "root");
    refused(&mut enclave, SignCheckpoint { size: 2, ..good.clone() }, "can't have grown");
    let short = SignCheckpoint { root: vec![0; 31], ..good.clone() };
    enclave.refused(Verb::SignCheckpoint(short), FaultReason::BadRequest);
    let mut short = good.clone();
    short.consistency[0].pop();
    enclave.refused(Verb::SignCheckpoint(short), FaultReason::BadRequest);
    // A log that was rewritten proves itself consistent with nothing that was signed.
    let mut rewritten = Log { records: log.records.clone(), key: log.key.clone(), last: log.last.clone() };
    rewritten.records[1] = b"another one".to_vec();
    refused(&mut enclave, rewritten.request(), "history was rewritten");

    log.checkpoint(&mut enclave, good.clone());
    log.checkpoint(&mut enclave, log.request());
    refused(&mut enclave, good, "4 hashes where it must have 0");
    let openssl = ["pkeyutl", "-rawin"];
    let (body, line) = log.last.1.split_once("\n\n").unwrap();
    let signature = hex::decode(base64_hex(line.trim_end().rsplit(' ').next().unwrap())).unwrap();
    let (_, opened) = host.open(1);
    assert!(openssl_accepts(&opened.audit_public_key, format!("{body}\n").as_bytes(), &signature[4..], &openssl));
}

/// Hex of base64, by another tool.
fn base64_hex(text: &str) -> String {
    let command = format!("printf %s '{text}' | base64 -d | od -An -v -tx1 | tr -d ' \\n'");
    let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_token_opens_only_with_a_checkpoint_that_its_audit_key_signed() {
    let (host, mut log) = begun();
    let older = log.last.1.clone();
    let (mut enclave, _) = open(&host, &log);
    log.records.push(b"three".to_vec());
    log.checkpoint(&mut enclave, log.request());
    assert_eq!(enclave.end().code(), Some(0));

    let grown = older.replacen("\n3\n", "\n1\n", 1);
    let stranger = Host::with_token();
    let created = stranger.start().create_deployment(&stranger);
    let key = VerifierKey::from_spki(ORIGIN, &created.audit_public_key).unwrap();
    let other = key.sign_note(&Checkpoint { origin: ORIGIN.into(), size: 3, root: [0; 32] }, &[0; 64]);
    for (note, part) in [(grown, "signature"), (other, "no signature"), ("no note".into(), "not a signed note")] {
        let request = Open { checkpoint: note, ..host.open_request(1) };
        let message = host.start().refused(Verb::Open(request), FaultReason::CheckpointRefused);
        assert!(message.contains("do not belong together") && message.contains(part), "{message}");
    }
    let elsewhere = Open { checkpoint: older.clone(), origin: "log.example/another".into(), ..host.open_request(1) };
    host.start().refused(Verb::Open(elsewhere), FaultReason::CheckpointRefused);

    // Without one, keys can be used and no checkpoint is signed.
    let (mut without, _) = host.open(1);
    let request = SignCheckpoint { consistency: Vec::new(), ..log.request() };
    let message = without.refused(Verb::SignCheckpoint(request), FaultReason::CheckpointRefused);
    assert!(message.contains("no checkpoint was given"), "{message}");

    // From the one that was given, the log must go on.
    let (mut enclave, _) = open(&host, &log);
    log.records.push(b"four".to_vec());
    let mut back = Log { records: log.records.clone(), key: log.key.clone(), last: (3, older) };
    back.records.truncate(3);
    let refused = back.request();
    enclave.refused(Verb::SignCheckpoint(refused), FaultReason::CheckpointRefused);
    log.checkpoint(&mut enclave, log.request());
}
