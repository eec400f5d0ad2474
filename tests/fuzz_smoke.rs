//! Every fuzz target over sound seeds and mutations of them: what `make fuzz` does for longer, on nightly, guided by
//! coverage. The mutations are the same in every run.
#![forbid(unsafe_code)]

use chancery::policy::PolicySet;
use rcgen::{CertificateParams, KeyPair};

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
const GOLDEN_KEY: &[u8] = include_bytes!("../crates/chancery-audit/tests/golden/v1/audit.vkey");
const CONFIGURATION: &[u8] = include_bytes!("../docs/chancery.toml");

smoke!(audit_segment in "../fuzz/fuzz_targets/audit_segment.rs", 500 mutations of [GOLDEN_SEGMENT.to_vec()]);
smoke!(certificate_request in "../fuzz/fuzz_targets/certificate_request.rs", 500 mutations of [request()]);
smoke!(checkpoint_note in "../fuzz/fuzz_targets/checkpoint_note.rs", 500 mutations of
    [GOLDEN_CHECKPOINT.to_vec(), GOLDEN_KEY.to_vec()]);
smoke!(client_certificate in "../fuzz/fuzz_targets/client_certificate.rs", 500 mutations of [certificate()]);
smoke!(config in "../fuzz/fuzz_targets/config.rs", 1_000 mutations of [CONFIGURATION.to_vec()]);
smoke!(ipc_frames in "../fuzz/fuzz_targets/ipc_frames.rs", 5_000 mutations of conversations());
smoke!(policy_files in "../fuzz/fuzz_targets/policy_files.rs", 100 mutations of policies());
smoke!(record in "../fuzz/fuzz_targets/record.rs", 5_000 mutations of records());

fn request() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let names = vec!["peer0.org1".to_owned()];
    CertificateParams::new(names).unwrap().serialize_request(&key).unwrap().der().to_vec()
}

fn certificate() -> Vec<u8> {
    rcgen::generate_simple_self_signed(vec!["peer0.org1".to_owned()]).unwrap().cert.der().to_vec()
}

/// A request and a reply, cut into pieces of 7 bytes: the target's first byte.
fn conversations() -> Vec<Vec<u8>> {
    use chancery_ipc::{Request, Response, Sign, Signed, encode, request::Verb, response};
    let version = "organizations/org1/keys/peer0/versions/1".to_owned();
    let sign = Sign { version: version.clone(), input: vec![1; 32], public_key_sha256: vec![2; 32], mechanism: 1 };
    let signed = Signed { version, input_sha256: vec![3; 32], signature: vec![4; 64], ..Signed::default() };
    let (mut asked, mut answered) = (vec![7], vec![7]);
    encode(&Request { id: 1, deadline_unix_millis: 2, verb: Some(Verb::Sign(sign)) }, &mut asked).unwrap();
    encode(&Response { id: 1, result: Some(response::Result::Signed(signed)) }, &mut answered).unwrap();
    vec![asked, answered]
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
