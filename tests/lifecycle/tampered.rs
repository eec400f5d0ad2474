//! Wrapped keys in the store that are not what the service put there: damaged, swapped, another deployment's, gone. Each is
//! refused as what it is, never taken for a fault of the token, and other keys go on.

use crate::{
    harness::Deployment,
    parties::{Event, LONG, Parties, from_now, refused, signer, version},
    shared::{call, creation, id, key, make},
    store,
};
use chancery_api::{
    reasons,
    v1::{Algorithm, CreateCertificateSigningRequestRequest, Protection},
};

/// A key that is used right after everything that is refused.
const OTHER: &str = "other";

struct Tamperer {
    deployment: Deployment,
    parties: Parties,
    enclave: Option<u32>,
}

impl Tamperer {
    /// A deployment with ENCLAVE keys of these ids, none of which is open in the enclave's memory, and `OTHER`.
    async fn new(ids: &[&str]) -> Self {
        let mut deployment = Deployment::start();
        let parties = Parties::of(&deployment).await;
        for id in ids.iter().chain(&[OTHER]) {
            parties.make(&key(id), Protection::Enclave).await;
        }
        deployment.stop();
        deployment.serve();
        let parties = Parties::of(&deployment).await;
        // The enclave that serves now is the one that must still serve at the end.
        parties.sign(&key(OTHER), b"m").await.unwrap();
        let enclave = deployment.enclave_pid();
        assert!(enclave.is_some());
        Self { deployment, parties, enclave }
    }

    fn wrapped(&self, id: &str) -> Vec<u8> {
        store::wrapped(&self.deployment, &version(&key(id), 1)).unwrap()
    }

    fn replace(&self, id: &str, wrapped: &[u8]) {
        store::replace(&self.deployment, &version(&key(id), 1), wrapped);
    }

    /// The key is refused, for itself, at once and again; nothing else is.
    async fn refused(&self, id: &str, what: &str) {
        for _ in 0..2 {
            let error = self.parties.sign(&key(id), b"m").await.unwrap_err();
            assert_eq!(error.reason.as_deref(), Some(reasons::WRAPPED_KEY_INVALID), "{what}: {error}");
            assert!(!error.retryable, "{what}: {error}");
        }
        self.parties.sign(&key(OTHER), b"m").await.unwrap();
        assert_eq!(self.deployment.enclave_pid(), self.enclave, "{what}: the enclave is the same");
    }
}

#[tokio::test]
async fn a_damaged_wrapped_key_is_refused_for_itself() {
    let tamperer = Tamperer::new(&["damaged"]).await;
    let whole = tamperer.wrapped("damaged");
    // Every byte of the form has its meaning; a bit of each is tried, and every length.
    for at in (0..whole.len()).step_by(11).chain([whole.len() - 1]) {
        let mut edited = whole.clone();
        edited[at] ^= 1 << (at % 8);
        tamperer.replace("damaged", &edited);
        tamperer.refused("damaged", &format!("a bit of byte {at} of {}", whole.len())).await;
    }
    for length in [0, 1, 7, whole.len() / 2, whole.len() - 1] {
        tamperer.replace("damaged", &whole[..length]);
        tamperer.refused("damaged", &format!("cut to {length} bytes")).await;
    }
    tamperer.replace("damaged", &[whole.as_slice(), &[0]].concat());
    tamperer.refused("damaged", "one byte more").await;
    tamperer.replace("damaged", &vec![0xff; 1 << 16]);
    tamperer.refused("damaged", "64 KiB of nothing").await;
    tamperer.replace("damaged", &whole);
    tamperer.parties.sign(&key("damaged"), b"m").await.unwrap();
}

/// Between keys of an organization, versions of a key, and with the one of another organization.
#[tokio::test]
async fn swapped_wrapped_keys_are_refused() {
    let tamperer = Tamperer::new(&["left", "right"]).await;
    let [left, right] = ["left", "right"].map(|id| tamperer.wrapped(id));
    tamperer.replace("left", &right);
    tamperer.replace("right", &left);
    tamperer.refused("left", "swapped").await;
    tamperer.refused("right", "swapped").await;
    tamperer.replace("right", &right);
    tamperer.parties.sign(&key("right"), b"m").await.unwrap();

    // An older version's in a newer one's place.
    tamperer.replace("left", &left);
    let rotated = tamperer.parties.rotate(&key("left")).await.unwrap();
    tamperer.parties.cause(Event::Suspend, &rotated.versions[1].name).await.unwrap();
    store::replace(&tamperer.deployment, &rotated.versions[1].name, &left);
    tamperer.parties.cause(Event::Activate, &rotated.versions[1].name).await.unwrap();
    tamperer.refused("left", "the last version's").await;
    tamperer.parties.sign(&rotated.versions[0].name, b"m").await.unwrap();

    // Another organization's.
    let officer = tamperer.deployment.client("org2-security").await;
    let mut request = creation("organizations/org2/keys/theirs", "peer0", Algorithm::EcP256);
    request.key.as_mut().unwrap().protection = Protection::Enclave.into();
    let theirs = make(&officer, request).await;
    let theirs = store::wrapped(&tamperer.deployment, &theirs.versions[0].name).unwrap();
    store::replace(&tamperer.deployment, &rotated.versions[1].name, &theirs);
    tamperer.refused("left", "another organization's").await;
}

/// The same name, algorithm and purpose in another deployment.
#[tokio::test]
async fn another_deployments_wrapped_key_is_refused() {
    let (here, elsewhere) = tokio::join!(Tamperer::new(&["same"]), Tamperer::new(&["same"]));
    let own = here.wrapped("same");
    here.replace("same", &elsewhere.wrapped("same"));
    here.refused("same", "another deployment's").await;
    here.replace("same", &own);
    here.parties.sign(&key("same"), b"m").await.unwrap();
}

/// The one that is gone can't be used, and is told from a key that was never there; a suspended key's opened copy does not
/// outlive its suspension, so that what the store has decides after it.
#[tokio::test]
async fn a_lost_wrapped_key_is_refused_and_no_opened_copy_stands_in_for_it() {
    let tamperer = Tamperer::new(&["lost"]).await;
    let (name, whole) = (version(&key("lost"), 1), tamperer.wrapped("lost"));
    tamperer.parties.sign(&name, b"m").await.unwrap();
    let delete = "DELETE FROM wrapped_keys WHERE version = ?1";
    assert_eq!(store::open(&tamperer.deployment).execute(delete, [&name]).unwrap(), 1);
    tamperer.parties.sign(&name, b"m").await.expect("it is open in the enclave");
    tamperer.parties.cause(Event::Suspend, &name).await.unwrap();
    refused(tamperer.parties.sign(&name, b"m").await, reasons::WRONG_STATE);
    tamperer.parties.cause(Event::Activate, &name).await.unwrap();
    tamperer.refused("lost", "gone").await;
    let insert = "INSERT INTO wrapped_keys (version, wrapped) VALUES (?1, ?2)";
    store::open(&tamperer.deployment).execute(insert, rusqlite::params![name, whole]).unwrap();
    tamperer.parties.sign(&name, b"m").await.unwrap();
}

/// A PRE_ACTIVE version is opened for its certificate signing request alone, and wiped as its destruction is scheduled.
#[tokio::test]
async fn a_version_that_never_was_active_is_wiped_when_it_goes_out_of_use() {
    let tamperer = Tamperer::new(&[]).await;
    let mut request = signer(&key("not-yet"), Protection::Enclave);
    request.activate_time = Some(from_now(LONG));
    make(&tamperer.parties.officer, request).await;
    let (name, whole) = (version(&key("not-yet"), 1), tamperer.wrapped("not-yet"));
    let request = async || {
        let (name, subject, request_id) = (name.clone(), "CN=peer0".into(), id());
        let request = CreateCertificateSigningRequestRequest { name, subject, request_id, ..Default::default() };
        call(tamperer.parties.peer.certificates().create_certificate_signing_request(request)).await
    };
    request().await.unwrap();
    tamperer.replace("not-yet", &whole[1..]);
    request().await.expect("it is open in the enclave");
    tamperer.parties.cause(Event::Destroy(LONG), &name).await.unwrap();
    refused(request().await, reasons::WRONG_STATE);
    tamperer.parties.cause(Event::Restore, &name).await.unwrap();
    refused(request().await, reasons::WRAPPED_KEY_INVALID);
    tamperer.replace("not-yet", &whole);
    request().await.unwrap();
}

/// Every kind of key is bound to what it is: another algorithm's blob is refused whatever opens it.
#[tokio::test]
async fn a_wrapped_key_of_another_algorithm_is_refused() {
    let tamperer = Tamperer::new(&["p256"]).await;
    let officer = &tamperer.parties.officer;
    for (at, algorithm) in
        [Algorithm::EcSecp256k1, Algorithm::Sm2, Algorithm::Ed25519, Algorithm::MlDsa44].into_iter().enumerate()
    {
        let name = key(&format!("kind-{at}"));
        let mut request = signer(&name, Protection::Enclave);
        request.key.as_mut().unwrap().algorithm = algorithm.into();
        make(officer, request).await;
        let wrapped = store::wrapped(&tamperer.deployment, &version(&name, 1)).unwrap();
        tamperer.replace("p256", &wrapped);
        tamperer.refused("p256", algorithm.as_str_name()).await;
    }
}
