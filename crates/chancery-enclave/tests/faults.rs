//! A token that fails: what is answered, what is left behind, and when the process ends.

mod harness;

use std::{fs, process::Command, time::Duration};

use chancery_ipc::{
    EnsureKek, FaultReason, KeyAlgorithm, KeyProtection, KeyPurpose, Mechanism, Random, request::Verb,
    response::Result as Reply,
};
use harness::*;

/// A host whose library is `faulty.c` over SoftHSM, with a deployment and one key.
struct Faulty {
    host: Host,
    name: String,
    key: Vec<u8>,
}

impl Faulty {
    fn new() -> Self {
        let (mut host, _) = Host::with_deployment();
        let library = host.path("faulty.so").to_str().unwrap().to_owned();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/faulty.c");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o", &library, source, "-ldl"]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let faults = host.path("faults").to_str().unwrap().to_owned();
        host.environment.extend([("FAULTY", faults), ("FAULTY_OVER", SOFTHSM.into())]);
        host.library = library;
        let name = version(1);
        let key = host.open(1).0.generate(&name, KeyAlgorithm::EcP256).public_key;
        Self { host, name, key }
    }

    fn faults(&self, lines: &str) {
        fs::write(self.host.path("faults"), lines).unwrap();
    }

    fn sign(&self) -> Verb {
        sign(&self.name, &self.key, Mechanism::Ecdsa, &[1; 32])
    }

    fn sign_well(&self, enclave: &mut Enclave) -> u64 {
        enclave.sign(&self.name, &self.key, Mechanism::Ecdsa, &[1; 32]).operation.number
    }
}

#[test]
fn a_lost_token_is_answered_and_ends_the_process() {
    let faulty = Faulty::new();
    // CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_ERROR, CKR_USER_NOT_LOGGED_IN, CKR_TOKEN_NOT_PRESENT
    for (function, value, maybe) in
        [("sign", "b3", true), ("sign", "30", true), ("sign-init", "101", false), ("sign-init", "e0", false)]
    {
        faulty.faults("");
        let (mut enclave, _) = faulty.host.open(2);
        let signed = faulty.sign_well(&mut enclave);
        faulty.faults(&format!("{function} {value}"));
        let fault = enclave.fault(faulty.sign());
        assert_eq!(fault.reason(), FaultReason::TokenFault);
        assert_eq!(fault.maybe_performed, maybe, "{}", fault.message);
        // What may have been signed has a number, the next one.
        let number = fault.operation.map(|operation| operation.number);
        assert_eq!(number, maybe.then_some(signed + 1));
        assert!(fault.message.contains("CKR_") && fault.message.contains("C_Sign"), "{}", fault.message);
        assert!(enclave.receive().is_none());
        assert_eq!(enclave.wait().code(), Some(75));
    }
    // A fresh process works at once.
    faulty.faults("");
    faulty.sign_well(&mut faulty.host.open(1).0);
}

#[test]
fn when_the_token_is_lost_everything_waiting_is_answered_as_not_begun() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(2);
    faulty.sign_well(&mut enclave);
    faulty.faults("sleep 100\nsign 30");
    let requests: Vec<_> = (0..200).map(|_| enclave.request(faulty.sign(), 0)).collect();
    enclave.send(&requests);
    let mut maybe = 0;
    for number in 0..200 {
        let Some(response) = enclave.receive() else { panic!("{number} of 200 answered") };
        let Some(Reply::Fault(fault)) = response.result else { panic!() };
        assert_eq!(fault.reason(), FaultReason::TokenFault);
        assert_eq!(fault.maybe_performed, !fault.message.contains("before this was begun"), "{}", fault.message);
        maybe += u32::from(fault.maybe_performed);
    }
    // Each of the two session threads had at most one under way.
    assert!((1..=2).contains(&maybe), "{maybe}");
    assert!(enclave.receive().is_none());
    assert_eq!(enclave.wait().code(), Some(75));
}

#[test]
fn an_error_of_one_request_does_not_end_the_process() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(1);
    assert_eq!(faulty.sign_well(&mut enclave), 1);
    // CKR_DATA_LEN_RANGE, CKR_MECHANISM_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED
    for (function, value, reason) in [
        ("sign-init", "70", FaultReason::Unsupported),
        ("sign-init", "68", FaultReason::WrongUse),
        ("sign-init", "80000001", FaultReason::TokenFault),
    ] {
        faulty.faults(&format!("{function} {value}"));
        enclave.refused(faulty.sign(), reason);
    }
    faulty.faults("");
    assert_eq!(faulty.sign_well(&mut enclave), 2, "what was not performed has no number");
}

#[test]
fn a_stale_handle_is_found_anew_once() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(1);
    faulty.sign_well(&mut enclave);
    faulty.faults("sign-init 60"); // CKR_KEY_HANDLE_INVALID, again and again
    enclave.refused(faulty.sign(), FaultReason::KeyNotFound);
    faulty.faults("");
    let signed = enclave.sign(&faulty.name, &faulty.key, Mechanism::Ecdsa, &[1; 32]);
    assert!(signed.first_on_handle, "the handle is new");
}

#[test]
fn a_token_that_refuses_part_of_the_template_gets_less_and_it_is_said() {
    let faulty = Faulty::new();
    // CKA_COPYABLE, CKA_MODIFIABLE, CKA_UNWRAP
    for (number, (refused, accepted)) in (10..).zip([("171", "NoCopyable"), ("170", "NoPolicy"), ("107", "UseImplied")])
    {
        faulty.faults(&format!("refuse {refused}"));
        let (mut enclave, _) = faulty.host.open(1);
        let made = enclave.generate(&version(number), KeyAlgorithm::EcP256);
        enclave.sign(&version(number), &made.public_key, Mechanism::Ecdsa, &[1; 32]);
        assert!(faulty.host.log().contains(accepted), "{}", faulty.host.log());
    }
    // CKA_SENSITIVE is not given up.
    faulty.faults("refuse 103");
    let (mut enclave, _) = faulty.host.open(1);
    let fault = enclave.fault(generate(&version(20), KeyAlgorithm::EcP256));
    assert_eq!(fault.reason(), FaultReason::TokenFault);
    assert!(fault.message.contains("C_GenerateKeyPair gave CKR_ATTRIBUTE_TYPE_INVALID"), "{}", fault.message);
}

#[test]
fn a_key_unlike_the_one_asked_for_is_destroyed() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(1);
    // CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_LOCAL, CKA_NEVER_EXTRACTABLE, CKA_DECRYPT, CKA_MODIFIABLE
    for (number, lie) in (10..).zip(["103", "162", "163", "164", "105", "170"]) {
        faulty.faults(&format!("lie {lie}"));
        let fault = enclave.fault(generate(&version(number), KeyAlgorithm::EcP256));
        assert_eq!(fault.reason(), FaultReason::TokenFault, "{lie}");
        assert!(fault.maybe_performed && fault.message.contains("destroyed"), "{lie}: {}", fault.message);
        faulty.faults("");
        // Nothing of it is left in the way.
        enclave.generate(&version(number), KeyAlgorithm::EcP256);
    }
}

#[test]
fn a_key_that_became_extractable_is_not_used() {
    let faulty = Faulty::new();
    faulty.faults("lie 162");
    let message = faulty.host.start().refused(Verb::Open(faulty.host.open_request(1)), FaultReason::KeyMismatch);
    assert!(message.contains("extractable"), "{message}");
    faulty.faults("");
    let (mut enclave, _) = faulty.host.open(1);
    faulty.faults("lie 103");
    enclave.refused(faulty.sign(), FaultReason::KeyMismatch);
}

/// A token that fails to decrypt is a failed token, though the blob might be tampered with as well; what the token decrypts
/// otherwise is.
#[test]
fn a_token_that_cannot_decrypt_is_told_from_a_tampered_blob() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(1);
    enclave.ensure_kek(1);
    let made = enclave.make_p256(&version(10));
    let aes = KeyAlgorithm::Aes256;
    let aes = enclave.make(wanted(&version(11), aes, KeyPurpose::Encrypt, KeyProtection::Token));
    let sealed = enclave.use_key(&aes, Mechanism::GcmEncrypt, b"x", &[]);
    let mut tampered = made.clone();
    *tampered.wrapped.last_mut().unwrap() ^= 1;
    // CKR_DEVICE_MEMORY, CKR_FUNCTION_FAILED, CKR_ENCRYPTED_DATA_INVALID: of this one operation
    for value in ["31", "6", "40"] {
        faulty.faults(&format!("decrypt {value}"));
        for key in [&made, &tampered] {
            let message = enclave.refused(key.sign_opening(), FaultReason::TokenFault);
            assert!(message.contains("C_Decrypt gave CKR_"), "{message}");
        }
        let fault = enclave.fault(Verb::UseKey(aes.use_request(Mechanism::GcmDecrypt, &sealed)));
        assert_eq!(fault.reason(), FaultReason::TokenFault, "{}", fault.message);
        assert!(fault.maybe_performed);
        faulty.faults("");
        enclave.refused(tampered.sign_opening(), FaultReason::Tampered);
    }
    // The blob and the ciphertext were good all the time.
    assert_eq!(enclave.use_key(&aes, Mechanism::GcmDecrypt, &sealed, &[]), b"x");
    enclave.use_key(&made, Mechanism::Ecdsa, &[1; 32], &[]);
    // CKR_GENERAL_ERROR, which SoftHSM also answers when a tag does not fit: the token is lost, if it can't do ours either.
    faulty.faults("decrypt 5");
    enclave.use_key(&made, Mechanism::Ecdsa, &[1; 32], &[]); // it is open: no token is asked
    let fault = enclave.fault(Verb::UseKey(aes.use_request(Mechanism::GcmDecrypt, &sealed)));
    assert_eq!(fault.reason(), FaultReason::TokenFault);
    assert!(enclave.receive().is_none());
    assert_eq!(enclave.wait().code(), Some(75));
}

#[test]
fn a_key_encryption_key_that_became_extractable_is_not_used() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(1);
    enclave.ensure_kek(1);
    let made = enclave.make_p256(&version(10));
    enclave.end();
    let (mut enclave, _) = faulty.host.open(1);
    faulty.faults("lie 162"); // CKA_EXTRACTABLE
    enclave.refused(made.sign_opening(), FaultReason::KeyMismatch);
    let ensure = EnsureKek { organization: "org1".into(), generation: 1 };
    enclave.refused(Verb::EnsureKek(ensure), FaultReason::KeyMismatch);
}

#[test]
fn a_token_without_a_random_number_generator_leaves_the_systems() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(1);
    enclave.ensure_kek(1);
    faulty.faults("random 121"); // CKR_RANDOM_NO_RNG
    let made = enclave.make_p256(&version(10));
    enclave.use_key(&made, Mechanism::Ecdsa, &[1; 32], &[]);
    let log = faulty.host.log();
    assert_eq!(log.matches("no random number generator").count(), 1, "{log}");
    // Any other failure is the token's.
    let (mut enclave, _) = faulty.host.open(1);
    faulty.faults("random 30"); // CKR_DEVICE_ERROR
    enclave.refused(Verb::Random(Random { length: 32 }), FaultReason::TokenFault);
    assert!(enclave.receive().is_none());
    assert_eq!(enclave.wait().code(), Some(75));
}

#[test]
fn a_deadline_passes_while_the_request_waits() {
    let faulty = Faulty::new();
    let (mut enclave, _) = faulty.host.open(1);
    faulty.sign_well(&mut enclave);
    faulty.faults("sleep 200");
    let slow = enclave.request(faulty.sign(), 0);
    let in_100_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() + Duration::from_millis(100);
    let late = enclave.request(faulty.sign(), u64::try_from(in_100_ms.as_millis()).unwrap());
    enclave.send(&[slow, late]);
    assert!(matches!(enclave.receive().unwrap().result, Some(Reply::KeyUsed(_))));
    let Some(Reply::Fault(fault)) = enclave.receive().unwrap().result else { panic!() };
    assert_eq!(fault.reason(), FaultReason::Expired);
}
