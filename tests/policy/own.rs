//! An organization's own policies: they narrow at once, and grant within the organization and no further.

use crate::{
    desk::{Desk, is_denied, setting},
    shared::{ORG1, ORG2, call, id, sign, signing},
};
use chancery_api::v1::{SignRequest, UpdateGroupRequest, sign_stream_response::Result as Answer};
use chancery_client::ClientError;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

const FREEZE: &str = r#"
@id("freeze")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.name == "frozen" };
"#;

pub(crate) const PERMIT_ALL: &str = r#"@id("everything") permit (principal, action, resource);"#;

/// A stream that stays open, one request at a time.
struct Stream {
    requests: mpsc::Sender<SignRequest>,
    answers: tonic::Streaming<chancery_api::v1::SignStreamResponse>,
}

impl Stream {
    async fn open(client: &chancery_client::Client) -> Self {
        let (requests, incoming) = mpsc::channel(1);
        let answers = client.signing().sign_stream(ReceiverStream::new(incoming)).await.unwrap().into_inner();
        Self { requests, answers }
    }

    async fn sign(&mut self, key: &str) -> Result<(), ClientError> {
        self.requests.send(signing(&format!("{ORG1}/keys/{key}"), b"message")).await.unwrap();
        match self.answers.next().await.unwrap().unwrap().result.unwrap() {
            Answer::Response(_) => Ok(()),
            Answer::Error(status) => Err(ClientError::from(status)),
        }
    }
}

#[tokio::test]
async fn an_own_forbid_narrows_at_once_also_on_open_connections_and_streams() {
    let desk = Desk::new(&["frozen", "free"]).await;
    let mut stream = Stream::open(&desk.peer).await;
    for key in ["frozen", "free"] {
        desk.sign(key).await.unwrap();
        stream.sign(key).await.unwrap();
    }
    let set = desk.set(FREEZE).await.unwrap();
    assert_eq!((set.text.as_str(), set.hash.len()), (FREEZE, 32));
    // The very next request, on what was open before.
    assert!(is_denied(&stream.sign("frozen").await), "on the open stream");
    assert!(is_denied(&desk.sign("frozen").await), "on the open connection");
    stream.sign("free").await.unwrap();
    desk.sign("free").await.unwrap();
    let none = desk.set("").await.unwrap();
    assert!(none.text.is_empty() && none.hash.is_empty());
    stream.sign("frozen").await.unwrap();
    desk.sign("frozen").await.unwrap();
}

#[tokio::test]
async fn an_own_permit_grants_within_the_organization_and_beats_no_forbid() {
    let desk = Desk::new(&["shared"]).await;
    let (client, key) = (desk.client("org1-client").await, format!("{ORG1}/keys/shared"));
    assert!(is_denied(&sign(&client, signing(&key, b"m")).await));
    let own = r#"
        @id("client-uses-shared")
        permit (principal, action == Chancery::Action::"Sign", resource)
        when { principal.name == "client" && resource.name == "shared" };
    "#;
    desk.set(own).await.unwrap();
    sign(&client, signing(&key, b"m")).await.unwrap();
    assert!(is_denied(&sign(&desk.client("org1-orderer0").await, signing(&key, b"m")).await), "nobody else");

    desk.set(PERMIT_ALL).await.unwrap();
    sign(&desk.client("org1-orderer0").await, signing(&key, b"m")).await.unwrap();
    assert!(is_denied(&sign(&desk.officer, signing(&key, b"m")).await), "who hands out keys uses none");
}

/// Who is in a group is asked at each decision: joining and leaving count at once.
#[tokio::test]
async fn a_group_signs_with_a_key_that_its_policy_names() {
    let desk = Desk::new(&["treasury"]).await;
    let (client, key) = (desk.client("org1-client").await, format!("{ORG1}/keys/treasury"));
    let own = r#"
        @id("signers-share-the-treasury")
        permit (
          principal in Chancery::Group::"organizations/org1/groups/signers",
          action == Chancery::Action::"Sign",
          resource == Chancery::Key::"organizations/org1/keys/treasury"
        );
    "#;
    desk.set(own).await.unwrap();
    for members in [vec!["client"], vec![], vec!["orderer0", "client"], vec!["orderer0"]] {
        let names = members.iter().map(|name| format!("{ORG1}/principals/{name}")).collect();
        let name = format!("{ORG1}/groups/signers");
        let request = UpdateGroupRequest { name, members: names, request_id: id() };
        call(desk.officer.admin().update_group(request)).await.unwrap();
        let signed = sign(&client, signing(&key, b"m")).await;
        assert_eq!(signed.is_ok(), members.contains(&"client"), "{members:?}: {signed:?}");
        assert!(signed.is_ok() || is_denied(&signed));
    }
}

/// The other organization's permits and forbids are about its own resources alone.
#[tokio::test]
async fn an_organizations_own_policies_never_reach_another() {
    let desk = Desk::new(&["ours"]).await;
    let (officer2, key) = (desk.client("org2-security").await, format!("{ORG1}/keys/ours"));
    call(officer2.admin().set_policies(setting(ORG2, PERMIT_ALL))).await.unwrap();
    for name in ["org2-peer0", "org2-client", "org2-security"] {
        assert!(is_denied(&sign(&desk.client(name).await, signing(&key, b"m")).await), "{name}");
    }
    // Not even where both organizations permit everything.
    desk.set(PERMIT_ALL).await.unwrap();
    assert!(is_denied(&sign(&desk.client("org2-peer0").await, signing(&key, b"m")).await));
    let forbid = r#"@id("nothing-is-signed") forbid (principal, action == Chancery::Action::"Sign", resource);"#;
    call(officer2.admin().set_policies(setting(ORG2, forbid))).await.unwrap();
    desk.sign("ours").await.unwrap();
}
