//! Every method of the API, with every field right, absent, empty or garbage: a stranger gets the same bytes for what
//! another organization has and for what it has not. The methods are the API's own descriptors', so that none is left
//! out.

use crate::{
    shared::{ORG1, client, create, id, key},
    wire::{Api, SPOILT, Seen, ask},
};
use chancery_api::v1::{Algorithm, ListTrustAnchorsRequest};
use chancery_client::Code;

/// Names of one length, so that they can take one another's place in an answer that repeats them.
pub(crate) fn put(text: &[u8], missing: &str, existing: &str) -> Vec<u8> {
    assert_eq!(missing.len(), existing.len());
    let (from, to) = (missing.as_bytes(), existing.as_bytes());
    let mut text = text.to_vec();
    for at in 0..text.len().saturating_sub(from.len() - 1) {
        if text[at..].starts_with(from) {
            text[at..at + from.len()].copy_from_slice(to);
        }
    }
    text
}

/// What org1 has, and what it has not.
async fn pairs() -> Vec<(String, String)> {
    let secret = key("bad-requests-here");
    create(&secret, "peer0", Algorithm::EcP256).await;
    let officer = client("org1-security").await;
    let list = ListTrustAnchorsRequest { parent: ORG1.into(), ..Default::default() };
    let anchors = officer.admin().list_trust_anchors(list).await.unwrap().into_inner().trust_anchors;
    let anchor = anchors[0].name.clone();
    let other_anchor = format!("{}{}", &anchor[..anchor.len() - 4], "beef");
    vec![
        (secret.clone(), key("bad-requests-none")),
        (format!("{secret}/versions/1"), format!("{}/versions/1", key("bad-requests-none"))),
        (format!("{secret}/versions/1"), format!("{secret}/versions/9")),
        (
            format!("{secret}/versions/1/objects/private"),
            format!("{}/versions/1/objects/private", key("bad-requests-none")),
        ),
        (format!("{ORG1}/principals/peer0/certificates/00ff"), format!("{ORG1}/principals/peer9/certificates/00ff")),
        (ORG1.into(), "organizations/orgx".into()),
        (format!("{ORG1}/policies"), "organizations/orgx/policies".into()),
        (anchor, other_anchor),
        (format!("{ORG1}/principals/auditor"), format!("{ORG1}/principals/nowhere")),
        (format!("{ORG1}/suspensions/principal-client"), format!("{ORG1}/suspensions/principal-nobody")),
        (format!("{ORG1}/groups/here"), format!("{ORG1}/groups/none")),
    ]
}

#[tokio::test]
async fn a_stranger_sees_the_same_bytes_for_every_request_however_bad() {
    let api = Api::read();
    assert!(api.methods.len() > 60, "{}", api.methods.len());
    let pairs = pairs().await;
    // An officer has most permits at home, the operator those of the deployment.
    for name in ["org2-security", "platform-operator"] {
        let client = client(name).await;
        let mut asked = 0;
        let mut denied = 0;
        for method in api.methods.iter().filter(|method| method.names_a_target()) {
            for (existing, missing) in &pairs {
                let spoils = (0..method.fields()).flat_map(|field| SPOILT.map(|how| Some((field, how))));
                for spoil in std::iter::once(None).chain(spoils) {
                    let here = ask(&client, method, api.request(method, existing, spoil)).await;
                    let there = ask(&client, method, api.request(method, missing, spoil)).await;
                    let there = (there.0, put(&there.1, missing, existing), put(&there.2, missing, existing));
                    let what = format!("{name} {} on {existing}, {spoil:?}", method.path);
                    assert_eq!(readable(&here), readable(&there), "{what}");
                    assert_eq!(here, there, "{what}");
                    let answered = here.0 == Code::Ok && !method.path.ends_with("/SignStream");
                    assert!(!answered, "{what} was answered");
                    asked += 1;
                    denied += u32::from(here.0 == Code::PermissionDenied);
                }
            }
        }
        assert!(asked > 5_000 && denied > asked / 10, "{asked} asked, {denied} denied");
    }
    // The keys are there, and whole: the owner signs.
    let owner = client("org1-peer0").await;
    crate::shared::sign(&owner, crate::shared::signing(&pairs[0].0, id().as_bytes())).await.unwrap();
}

fn readable(seen: &Seen) -> (Code, String) {
    (seen.0, String::from_utf8_lossy(&seen.1).into_owned())
}
