//! Labels that decide what is permitted, and lists of keys by filter and page.
//!
//! **Not here**: the filters' grammar (src/keys/filter.rs), an update of labels (tests/path/terms.rs).

use crate::{
    harness::Deployment,
    parties::{Parties, refused, signer, version},
    shared::{ORG1, call, creation, key, make},
};
use chancery_api::{
    reasons,
    v1::{Algorithm, CreateKeyRequest, Key, ListKeysRequest, Protection},
};
use chancery_client::ClientError;
use std::{collections::BTreeMap, fs};

/// Reads the label `env`: an owner that could set it would choose its permissions.
const POLICY: &str = r#"
@id("production-is-not-signed-with")
forbid (principal, action == Chancery::Action::"Sign", resource)
when { resource.hasTag("env") && resource.getTag("env") == "production" };
"#;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn labelled(id: &str, pairs: &[(&str, &str)]) -> CreateKeyRequest {
    let mut request = signer(&key(id), Protection::Enclave);
    request.key.as_mut().unwrap().labels = labels(pairs);
    request
}

#[tokio::test]
async fn an_owner_sets_no_label_that_a_policy_reads() {
    let mut deployment = Deployment::start();
    deployment.stop();
    fs::write(deployment.dir().join("policies").join("production.cedar"), POLICY).unwrap();
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    // The owner may make keys for itself, with any other label.
    let own = call(parties.peer.keys().create_key(labelled("own", &[("env", "test")]))).await;
    let message = refused(own, reasons::LABEL_RESERVED);
    assert!(message.contains("env"), "{message}");
    let own = make(&parties.peer, labelled("own", &[("site", "b"), ("environment", "production")])).await;
    parties.sign(&own.name, b"m").await.unwrap();
    // An officer sets it, on a new key and on one that exists, and the policy holds at once.
    let officers = make(&parties.officer, labelled("officers", &[("env", "production")])).await;
    refused(parties.sign(&officers.name, b"m").await, reasons::DENIED);
    let update =
        |name: &str, pairs: &[(&str, &str)]| Key { name: name.into(), labels: labels(pairs), ..Key::default() };
    parties.update(update(&own.name, &[("env", "production")]), &["labels"]).await.unwrap();
    refused(parties.sign(&own.name, b"m").await, reasons::DENIED);
    parties.update(update(&own.name, &[("env", "test")]), &["labels"]).await.unwrap();
    parties.sign(&own.name, b"m").await.unwrap();
}

/// One page of a list.
async fn page(parties: &Parties, filter: &str, size: i32, token: &str) -> Result<(Vec<String>, String), ClientError> {
    let request =
        ListKeysRequest { parent: ORG1.into(), page_size: size, page_token: token.into(), filter: filter.into() };
    let answer = call(parties.officer.keys().list_keys(request)).await?;
    assert!(answer.keys.len() <= size.max(1) as usize, "{} on a page of {size}", answer.keys.len());
    assert!(answer.keys.iter().all(|key| key.versions.is_empty() && key.primary.is_some()));
    let ids = answer.keys.into_iter().map(|key| key.name.rsplit('/').next().unwrap().to_owned());
    Ok((ids.collect(), answer.next_page_token))
}

/// All that a filter selects, page by page.
async fn list(parties: &Parties, filter: &str, size: i32) -> Vec<String> {
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let (more, next) = page(parties, filter, size, &token).await.unwrap();
        ids.extend(more);
        if next.is_empty() {
            return ids;
        }
        assert_ne!(next, token, "it goes on");
        token = next;
    }
}

#[tokio::test]
async fn filters_select_over_pages() {
    let deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    for at in 0..12 {
        let name = format!("f-{at:02}");
        let mut request = labelled(&name, &[("parity", ["even", "odd"][at % 2])]);
        let key = request.key.as_mut().unwrap();
        if at % 3 == 0 {
            key.protection = Protection::Token.into();
        }
        if at % 4 == 1 {
            key.algorithm = Algorithm::Sm2.into();
            key.protection = Protection::Enclave.into();
        }
        make(&parties.officer, request).await;
        if at >= 9 {
            parties.cause(crate::parties::Event::Suspend, &version(&crate::shared::key(&name), 1)).await.unwrap();
        }
    }
    make(&parties.officer, creation(&key("g-client"), "client", Algorithm::EcP256)).await;
    let id = |at: &usize| format!("f-{at:02}");
    let where_ = |holds: fn(usize) -> bool| (0..12).filter(|at| holds(*at)).map(|at| id(&at)).collect::<Vec<_>>();
    for size in [1, 3, 5, 100] {
        assert_eq!(list(&parties, "name=f-*", size).await, where_(|_| true), "pages of {size}");
        assert_eq!(list(&parties, "labels.parity=odd", size).await, where_(|at| at % 2 == 1));
        assert_eq!(list(&parties, "algorithm=sm2", size).await, where_(|at| at % 4 == 1));
    }
    assert_eq!(list(&parties, "state!=ACTIVE", 4).await, where_(|at| at >= 9));
    assert_eq!(list(&parties, "owner=client", 4).await, ["g-client"]);
    assert_eq!(list(&parties, "owner!=client AND protection=token", 4).await, where_(|at| at % 3 == 0 && at % 4 != 1));
    let both = "labels.parity=even AND state=SUSPENDED AND purpose=sign";
    assert_eq!(list(&parties, both, 4).await, where_(|at| at % 2 == 0 && at >= 9));
    assert_eq!(list(&parties, "labels.parity=neither", 4).await, [""; 0]);
    assert_eq!(list(&parties, "", 5).await.len(), 13);
    for (filter, says) in [
        ("algorithm=rot13", "rot13"),
        ("colour=red", "colour"),
        ("state", "expected"),
        ("state=ACTIVE OR state=SUSPENDED", "AND"),
        ("state=ACTIVE AND", "expected"),
        ("=x", "expected"),
        ("labels.=x", "labels."),
    ] {
        let error = page(&parties, filter, 10, "").await.unwrap_err();
        let field = error.violations.first().map(|violation| violation.field.as_str());
        assert_eq!(field, Some("filter"), "{filter}: {error}");
        assert!(error.message.contains(says) && error.message.contains("at character"), "{filter}: {error}");
    }
    let long = format!("name={}", "a".repeat(4096));
    assert_eq!(page(&parties, &long, 10, "").await.unwrap_err().violations[0].field, "filter");
    let error = page(&parties, "", 10, "../x").await.unwrap_err();
    assert_eq!(error.violations[0].field, "page_token");
    for size in [-1, 1001] {
        let request = ListKeysRequest { parent: ORG1.into(), page_size: size, ..ListKeysRequest::default() };
        let error = call(parties.officer.keys().list_keys(request)).await.unwrap_err();
        assert_eq!(error.violations[0].field, "page_size", "{size}");
    }
}
