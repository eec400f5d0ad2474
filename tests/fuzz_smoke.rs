//! Every fuzz target over sound seeds and mutations of them: what `make fuzz` does for longer, on nightly, guided by
//! coverage. The mutations are the same in every run.
#![deny(unsafe_code)]

use chancery::policy::PolicySet;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};

// The targets name `libfuzzer_sys`: here that is this crate, and its macro makes a function of the target's body.
extern crate self as libfuzzer_sys;
pub(crate) use libfuzzer::fuzz_target;

mod libfuzzer {
    macro_rules! fuzz_target {
        (|$data:ident: &[u8]| $body:block) => {
            pub(crate) fn run($data: &[u8]) $body
        };
    }
    pub(crate) use fuzz_target;
}

/// Declares a target's file as a module (`no_main` in it is meant for libFuzzer) and a test that runs it.
macro_rules! smoke {
    ($name:ident in $path:literal, $mutations:literal mutations of $seeds:expr) => {
        #[allow(unused_attributes)]
        #[path = $path]
        mod $name;

        #[test]
        fn $name() {
            mutate(&$seeds, $mutations, $name::run);
        }
    };
}

const GOLDEN_SEGMENT: &[u8] = include_bytes!("../crates/chancery-audit/tests/golden/v1/00000000000000000000.seg");
const GOLDEN_CHECKPOINT: &[u8] = include_bytes!("../crates/chancery-audit/tests/golden/v1/checkpoint");
const GOLDEN_RECEIPT: &[u8] = include_bytes!("../crates/chancery-audit/tests/golden/v1/receipt");
const GOLDEN_KEY: &[u8] = include_bytes!("../crates/chancery-audit/tests/golden/v1/audit.vkey");
const GOLDEN_STATEMENT: &[u8] = include_bytes!("../crates/chancery-transfer/tests/golden/v1/statement");
const GOLDEN_BACKUP: &[u8] = include_bytes!("../crates/chancery-transfer/tests/golden/v1/backup");
const GOLDEN_CUSTODIAN: &[u8] = include_bytes!("../crates/chancery-transfer/tests/golden/v1/custodian1.pem");
const CONFIGURATION: &[u8] = include_bytes!("../docs/chancery.toml");

smoke!(attestation_statement in "../fuzz/fuzz_targets/attestation_statement.rs", 1_000 mutations of
    [GOLDEN_STATEMENT.to_vec()]);
smoke!(audit_segment in "../fuzz/fuzz_targets/audit_segment.rs", 500 mutations of [GOLDEN_SEGMENT.to_vec()]);
smoke!(backup_file in "../fuzz/fuzz_targets/backup_file.rs", 500 mutations of backups());
smoke!(certificate_request in "../fuzz/fuzz_targets/certificate_request.rs", 500 mutations of [request()]);
smoke!(checkpoint_note in "../fuzz/fuzz_targets/checkpoint_note.rs", 500 mutations of
    [GOLDEN_CHECKPOINT.to_vec(), GOLDEN_KEY.to_vec()]);
smoke!(client_certificate in "../fuzz/fuzz_targets/client_certificate.rs", 500 mutations of [certificate()]);
smoke!(config in "../fuzz/fuzz_targets/config.rs", 1_000 mutations of [CONFIGURATION.to_vec()]);
smoke!(cosigned_note in "../fuzz/fuzz_targets/cosigned_note.rs", 500 mutations of
    [GOLDEN_CHECKPOINT.to_vec(), cosigned_checkpoint()]);
smoke!(ipc_frames in "../fuzz/fuzz_targets/ipc_frames.rs", 5_000 mutations of conversations());
smoke!(key_filter in "../fuzz/fuzz_targets/key_filter.rs", 5_000 mutations of filters());
smoke!(key_material in "../fuzz/fuzz_targets/key_material.rs", 1_000 mutations of keys_and_ciphertexts());
smoke!(organization_policies in "../fuzz/fuzz_targets/organization_policies.rs", 100 mutations of own_policies());
smoke!(pkcs11_abi in "../fuzz/fuzz_targets/pkcs11_abi.rs", 2_000 mutations of calls());
smoke!(policy_files in "../fuzz/fuzz_targets/policy_files.rs", 100 mutations of policies());
smoke!(receipt in "../fuzz/fuzz_targets/receipt.rs", 1_000 mutations of [GOLDEN_RECEIPT.to_vec()]);
smoke!(record in "../fuzz/fuzz_targets/record.rs", 5_000 mutations of records());
smoke!(revocation_list in "../fuzz/fuzz_targets/revocation_list.rs", 1_000 mutations of [list_of_two()]);
smoke!(sealed_key in "../fuzz/fuzz_targets/sealed_key.rs", 500 mutations of envelopes());
smoke!(witness_policy in "../fuzz/fuzz_targets/witness_policy.rs", 5_000 mutations of [WITNESS_POLICY.to_vec()]);
smoke!(object_name in "../fuzz/fuzz_targets/object_name.rs", 5_000 mutations of OBJECT_NAMES.map(<[u8]>::to_vec));
smoke!(tile_path in "../fuzz/fuzz_targets/tile_path.rs", 5_000 mutations of
    ["0/x001/x234/067", "2/000.p/17"].map(|path| path.as_bytes().to_vec()));

const OBJECT_NAMES: [&[u8]; 3] = [
    b"organizations/org1/keys/peer0/versions/1/objects/private",
    b"organizations/org1/keys/peer0/versions/12/objects/secret-34",
    b"organizations/org1/principals/peer0/certificates/00ff",
];

/// Three witnesses, two of whom are enough.
const WITNESS_POLICY: &[u8] = b"# a consortium
witness org1 org1/witness+9d982d75+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
witness org2 org2/witness+0a169fa5+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU
witness org3 org3/witness+39ffed57+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR
group outside any org2 org3
group members all org1 outside
quorum members
";

/// The golden checkpoint, cosigned by the witness that the target knows.
fn cosigned_checkpoint() -> Vec<u8> {
    use chancery_audit::checkpoint::{VerifierKey, WitnessSigner, with_line};
    let key: VerifierKey = std::str::from_utf8(GOLDEN_KEY).unwrap().parse().unwrap();
    let note = std::str::from_utf8(GOLDEN_CHECKPOINT).unwrap();
    let signer = WitnessSigner::from_seed("org1/witness", &[1; 32]).unwrap();
    with_line(note, &signer.cosign(&key.open_note(note).unwrap(), 1_700_000_000).line).into_bytes()
}

smoke!(snapshot in "../fuzz/fuzz_targets/snapshot.rs", 2_000 mutations of [snapshot_of_golden()]);

/// Of the golden log's two records.
fn snapshot_of_golden() -> Vec<u8> {
    use chancery_audit::{segment::Frames, snapshot::Replay};
    let mut replay = Replay::default();
    for frame in Frames::new(GOLDEN_SEGMENT).unwrap().1 {
        replay.add(frame.unwrap().record).unwrap();
    }
    replay.snapshot().unwrap().encode()
}

fn request() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let names = vec!["peer0.org1".to_owned()];
    CertificateParams::new(names).unwrap().serialize_request(&key).unwrap().der().to_vec()
}

fn certificate() -> Vec<u8> {
    rcgen::generate_simple_self_signed(vec!["peer0.org1".to_owned()]).unwrap().cert.der().to_vec()
}

/// A list of two certificates.
fn list_of_two() -> Vec<u8> {
    use rcgen::{
        CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, RevokedCertParams, SerialNumber, date_time_ymd,
    };
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let revoked = |serial: u64| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 2),
        next_update: date_time_ymd(2027, 1, 2),
        crl_number: SerialNumber::from(258_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked(7), revoked(0x1234_5678)],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let der = list.signed_by(&Issuer::new(authority, key)).unwrap().der().to_vec();
    assert_eq!(chancery::certificates::CertificateList::parse(&der).unwrap().entries(), 2);
    der
}

/// A request and a reply, cut into pieces of 7 bytes: the target's first byte.
fn conversations() -> Vec<Vec<u8>> {
    use chancery_ipc::{KeyRef, KeyUsed, Request, Response, UseKey, encode, request::Verb, response};
    let version = "organizations/org1/keys/peer0/versions/1".to_owned();
    let key = KeyRef { version: version.clone(), public_key_sha256: vec![2; 32], ..KeyRef::default() };
    let sign = UseKey { key, mechanism: 1, input: vec![1; 32], associated_data: vec![5; 3], iv: vec![6; 12] };
    let signed = KeyUsed { version, input_sha256: vec![3; 32], output: vec![4; 64], ..KeyUsed::default() };
    let (mut asked, mut answered) = (vec![7], vec![7]);
    encode(&Request { id: 1, deadline_unix_millis: 2, verb: Some(Verb::UseKey(sign)) }, &mut asked).unwrap();
    encode(&Response { id: 1, result: Some(response::Result::KeyUsed(signed)) }, &mut answered).unwrap();
    vec![asked, answered]
}

fn filters() -> Vec<Vec<u8>> {
    let all = "algorithm=sm2 AND purpose!=sign AND protection=enclave AND owner=peer0 AND state!=ACTIVE AND name=peer*";
    let texts = [all, r#"labels.env="a \"b\" \\ c" AND labels.x!="" AND name="ü""#, ""];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// The example key and ciphertext of GB/T 32918.5, and keys of two more kinds.
fn keys_and_ciphertexts() -> Vec<Vec<u8>> {
    const SM2_KEY: &[&str] = &[
        "3059301306072a8648ce3d020106082a811ccf5501822d034200",
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020",
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
    ];
    const SM2_CIPHERTEXT: &[&str] = &[
        "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73",
        "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0",
        "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766",
        "21886ca989ca9c7d58087307ca93092d651efa",
    ];
    // SM2Cipher of the same.
    const SM2_CIPHER: &[&str] = &[
        "307c022004ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73",
        "022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0",
        "042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766",
        "041321886ca989ca9c7d58087307ca93092d651efa",
    ];
    let seeds = [SM2_KEY, SM2_CIPHERTEXT, SM2_CIPHER].map(|hex| hex::decode(hex.concat()).unwrap());
    assert!(seeds[1..].iter().all(|seed| chancery::crypto::sm2_ciphertext_from(seed).is_ok()));
    let others = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519];
    let others = others.map(|algorithm| KeyPair::generate_for(algorithm).unwrap().subject_public_key_info());
    seeds.into_iter().chain(others).collect()
}

/// Sequences of bytes without a pattern: each chooses some sixty calls and their arguments.
fn calls() -> Vec<Vec<u8>> {
    let mut random = XorShift(0x2545_f491_4f6c_dd1d);
    (0..50).map(|_| (0..2_000).map(|_| u8::try_from(random.below(256)).unwrap()).collect()).collect()
}

/// Each policy that the documentation shows.
fn own_policies() -> Vec<Vec<u8>> {
    let examples = include_str!("../docs/policy.md").split("```cedar\n").skip(1);
    examples.map(|rest| rest.split("```").next().unwrap_or_default().as_bytes().to_vec()).collect()
}

/// Each shipped policy file alone.
fn policies() -> Vec<Vec<u8>> {
    let files = PolicySet::shipped().iter().filter(|(name, _)| name.ends_with(".cedar"));
    files.map(|(name, text)| format!("{name}\0{text}").into_bytes()).collect()
}

/// The records of the golden segment.
fn records() -> Vec<Vec<u8>> {
    let (_, frames) = chancery_audit::segment::Frames::new(GOLDEN_SEGMENT).unwrap();
    frames.map(|frame| frame.unwrap().record.to_vec()).collect()
}

/// The golden backup, and each of its parts alone.
fn backups() -> Vec<Vec<u8>> {
    use chancery_transfer::backup::file::{Frame, Reader};
    let (mut reader, mut seeds) = (Reader::default(), vec![GOLDEN_BACKUP.to_vec()]);
    reader.extend(GOLDEN_BACKUP);
    while let Some(frame) = reader.next_frame().unwrap() {
        seeds.push(match frame {
            Frame::Header(part) | Frame::State(part) | Frame::Entry(part) | Frame::Trailer(part) => part,
        });
    }
    seeds
}

/// A custodian's sealed share, their public key, and their private key.
fn envelopes() -> Vec<Vec<u8>> {
    let header = chancery_transfer::backup::Header::decode(&backups()[1]).unwrap();
    let custodian = header.custodians[0].clone();
    vec![custodian.sealed_share, custodian.public_key, GOLDEN_CUSTODIAN.to_vec()]
}

/// Runs `target` on every seed as it is, then on mutations of them in turn.
fn mutate(seeds: &[Vec<u8>], mutations: usize, target: fn(&[u8])) {
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| target(seed));
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    for round in 0..mutations {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=random.below(3) {
            random.change(&mut input);
        }
        target(&input);
    }
}

/// Marsaglia's xorshift64: enough for choosing bytes, and the same everywhere.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).unwrap()
    }

    /// One change of the kinds that parsers stumble over: bits, lengths, extremes, pieces lost and doubled.
    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        let end = at + self.below(input.len() - at);
        match self.below(6) {
            0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            1 if !input.is_empty() => input[at] = [0x00, 0x7f, 0x80, 0xff][self.below(4)],
            2 => input.truncate(at),
            3 => drop(input.drain(at..end)),
            4 => {
                let doubled = input[at..end].to_vec();
                input.splice(at..at, doubled);
            }
            _ => input.insert(at, u8::try_from(self.below(256)).unwrap()),
        }
    }
}
