//! Groups: set as a whole, of the organization's own members.

use crate::{
    given::{principal, reason},
    shared::{ORG1, ORG2, call, client, id},
};
use chancery_api::v1::{Group, ListGroupsRequest, UpdateGroupRequest};
use chancery_client::{Client, ClientError};

async fn set(officer: &Client, name: &str, members: Vec<String>) -> Result<Group, ClientError> {
    call(officer.admin().update_group(UpdateGroupRequest { name: name.into(), members, request_id: id() })).await
}

async fn ids(officer: &Client, page_size: i32) -> Vec<String> {
    let mut request = ListGroupsRequest { parent: ORG1.into(), page_size, ..ListGroupsRequest::default() };
    let mut all = Vec::new();
    loop {
        let page = call(officer.admin().list_groups(request.clone())).await.unwrap();
        all.extend(page.groups.into_iter().map(|group| group.name.rsplit('/').next().unwrap().to_owned()));
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn a_group_is_what_was_set_last() {
    let officer = client("org1-security").await;
    let of = |names: &[&str]| names.iter().map(|name| principal(ORG1, name)).collect::<Vec<_>>();
    for id in ["c", "a", "b"] {
        let group = set(&officer, &format!("{ORG1}/groups/{id}"), of(&["peer1", "peer0", "peer1"])).await.unwrap();
        assert_eq!(group.members, of(&["peer0", "peer1"]), "sorted, each once");
    }
    assert_eq!(ids(&officer, 2).await, ["a", "b", "c"]);
    let changed = set(&officer, &format!("{ORG1}/groups/b"), of(&["client"])).await.unwrap();
    assert_eq!(changed.members, of(&["client"]));
    assert!(set(&officer, &format!("{ORG1}/groups/b"), Vec::new()).await.unwrap().members.is_empty());
    assert_eq!(ids(&officer, 0).await, ["a", "c"], "one without members is gone");

    let many = |count: usize| (0..count).map(|number| principal(ORG1, &format!("peer{number}"))).collect::<Vec<_>>();
    set(&officer, &format!("{ORG1}/groups/c"), many(1000)).await.unwrap();
    for (what, name, members) in [
        ("too many", format!("{ORG1}/groups/a"), many(1001)),
        ("another organization's", format!("{ORG1}/groups/a"), vec![principal(ORG2, "peer0")]),
        ("no principal", format!("{ORG1}/groups/a"), vec!["peer0".into()]),
        ("no name", format!("{ORG1}/groups/A b"), Vec::new()),
    ] {
        assert_eq!(reason(set(&officer, &name, members).await), "INVALID_ARGUMENT", "{what}");
    }
    assert_eq!(ids(&officer, 0).await, ["a", "c"]);
}
