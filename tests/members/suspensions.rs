//! The emergency brake: by name, by certificate and by public key, on streams that are open.

use crate::{
    authority::{Authority, peer},
    given::{
        Bearer, Suspend, is_let_in, named, openssl, principal, principals, public_key, reason, register, registration,
        suspension,
    },
    shared::{ORG1, call, client, create, deployment, id, key, signing},
};
use chancery_api::v1::{
    Algorithm, LiftSuspensionRequest, ListSuspensionsRequest, SignRequest, SignStreamResponse, Suspension,
    sign_stream_response::Result as Answer,
};
use chancery_client::{Client, ClientError};
use sha2::{Digest, Sha256};
use std::{
    fs,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::Sender;
use tonic::Streaming;

/// A call that goes on, one signature at a time.
struct Stream {
    requests: Sender<SignRequest>,
    answers: Streaming<SignStreamResponse>,
    key: String,
}

impl Stream {
    async fn open(client: &Client, key: &str) -> Self {
        let (requests, receiver) = tokio::sync::mpsc::channel(1);
        requests.send(signing(key, b"first")).await.unwrap();
        let requested = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let answers = client.signing().sign_stream(requested).await.unwrap().into_inner();
        let mut stream = Self { requests, answers, key: key.into() };
        stream.answer().await.unwrap();
        stream
    }

    async fn answer(&mut self) -> Result<(), ClientError> {
        match self.answers.message().await.unwrap().unwrap().result.unwrap() {
            Answer::Response(_) => Ok(()),
            Answer::Error(status) => Err(status.into()),
        }
    }

    async fn sign(&mut self) -> Result<(), ClientError> {
        self.requests.send(signing(&self.key, b"next")).await.unwrap();
        self.answer().await
    }

    /// Until a signature is refused, or made again: within a second.
    async fn until(&mut self, refused: bool) -> Option<String> {
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            let answer = self.sign().await;
            if answer.is_err() == refused {
                return answer.err().and_then(|error| error.reason);
            }
            assert!(Instant::now() < deadline, "{answer:?} a second later");
        }
    }
}

async fn suspend(officer: &Client, of: Suspend) -> Result<Suspension, ClientError> {
    call(officer.admin().suspend_principal(suspension(ORG1, of))).await
}

async fn lift(officer: &Client, name: &str) -> Result<Suspension, ClientError> {
    call(officer.admin().lift_suspension(LiftSuspensionRequest { name: name.into(), request_id: id() })).await
}

#[tokio::test]
async fn each_kind_stops_an_open_stream_and_lifting_lets_it_go_on() {
    let (ca, officer) = (Authority::of("org1"), client("org1-security").await);
    let node = Bearer::new(&ca, &peer("peer-braked"));
    let other = node.again(&ca, &peer("peer-braked"));
    let name = principal(ORG1, "peer-braked");
    let signed_with = key("braked");
    create(&signed_with, "peer-braked", Algorithm::EcP256).await;
    let client = node.connect().await;
    let mut stream = Stream::open(&client, &signed_with).await;
    for (of, other_is_let_in) in [
        (Suspend::Principal(name.clone()), false),
        (Suspend::Certificate(node.fingerprint()), true),
        (Suspend::PublicKey(node.public_key()), false),
    ] {
        let stands = suspend(&officer, of.clone()).await.unwrap();
        assert!(!stands.lifted && stands.reason == "a test");
        assert_eq!(stream.until(true).await.as_deref(), Some("SUSPENDED"));
        assert_eq!(reason(is_let_in(&node.connect().await).await), "SUSPENDED", "nor on a new connection");
        assert_eq!(is_let_in(&other.connect().await).await.is_ok(), other_is_let_in, "another certificate of the key");
        // Once more: the one that stands is the answer.
        assert_eq!(suspend(&officer, of).await.unwrap(), stands);
        let listed = principals(ORG1, 0).await.into_iter().find(|one| one.name == name).unwrap();
        assert_eq!(listed.suspended, stands.principal == name);

        let lifted = lift(&officer, &stands.name).await.unwrap();
        assert_eq!(lifted, Suspension { lifted: true, ..stands.clone() });
        assert_eq!(stream.until(false).await, None);
        assert_eq!(lift(&officer, &stands.name).await.unwrap(), lifted);
    }
    assert_eq!(client.connections_made(), 1);
    let request = ListSuspensionsRequest { parent: ORG1.into(), page_size: 2, ..Default::default() };
    let first = call(officer.admin().list_suspensions(request.clone())).await.unwrap();
    assert_eq!(first.suspensions.len(), 2);
    assert!(!first.next_page_token.is_empty(), "there are three, and perhaps those of other tests");
}

/// Whoever is registered is suspended like a node, and what is suspended of another organization's is nothing here.
#[tokio::test]
async fn officers_and_auditors_are_suspended_and_foreigners_are_not() {
    let (ca, officer) = (Authority::of("org1"), client("org1-security").await);
    let auditor = Bearer::new(&ca, &named("auditor-braked"));
    register(&officer, registration(ORG1, "auditor", "auditor-braked", &auditor.pem)).await.unwrap();
    let open = auditor.connect().await;
    is_let_in(&open).await.unwrap();
    suspend(&officer, Suspend::PublicKey(auditor.public_key())).await.unwrap();
    assert_eq!(reason(is_let_in(&open).await), "SUSPENDED");
    // org1 says it of org2's auditor's key: of org1's members alone.
    let theirs = fs::read_to_string(deployment().client_dir("org2-auditor").join("cert.pem")).unwrap();
    suspend(&officer, Suspend::PublicKey(public_key(&theirs))).await.unwrap();
    is_let_in(&client("org2-auditor").await).await.unwrap();
}

#[tokio::test]
async fn nobody_suspends_itself() {
    let officer = client("org1-security").await;
    let own = fs::read_to_string(deployment().client_dir("org1-security").join("cert.pem")).unwrap();
    let fingerprint = Sha256::digest(openssl(&["x509", "-outform", "DER"], own.as_bytes())).to_vec();
    for of in [
        Suspend::Principal(principal(ORG1, "security")),
        Suspend::Certificate(fingerprint),
        Suspend::PublicKey(public_key(&own)),
    ] {
        let error = suspend(&officer, of).await.unwrap_err();
        assert!(error.message.contains("nobody suspends itself"), "{error}");
    }
    is_let_in(&officer).await.unwrap();
    for (what, of) in [
        ("nothing", Suspend::Principal(String::new())),
        ("another organization's", Suspend::Principal("organizations/org2/principals/auditor".into())),
        ("no hash", Suspend::PublicKey(vec![1; 31])),
    ] {
        assert_eq!(reason(suspend(&officer, of).await), "INVALID_ARGUMENT", "{what}");
    }
    let missing = format!("{ORG1}/suspensions/principal-nobody");
    assert_eq!(reason(lift(&officer, &missing).await), "NOT_FOUND");
    assert_eq!(reason(lift(&officer, &format!("{ORG1}/suspensions/nobody")).await), "INVALID_ARGUMENT");
}
