//! What was revoked stays revoked when the service starts again.

use crate::{
    authority::{Authority, List, Member},
    founding::{knock, refused},
    harness::{Deployment, expect_code},
    shared::{ORG1, call, id},
};
use chancery_api::{reasons, v1::UpdateRevocationListRequest};

#[tokio::test]
async fn a_restart_forgets_no_list() {
    let mut deployment = Deployment::start();
    let authority = Authority::of(&deployment, "org1");
    let (certificate, key) = authority.issue("client1", "client", 99, 3600);
    let bring = async |deployment: &Deployment, number| {
        let crl = authority.list(&List { number: Some(number), revoked: &[99], ..List::default() });
        let request = UpdateRevocationListRequest { name: ORG1.into(), crl, request_id: id() };
        call(deployment.client("org1-security").await.admin().update_revocation_list(request)).await
    };
    knock(&Member::new(&deployment, &certificate, &key).connect().await).await.unwrap();
    bring(&deployment, 4).await.unwrap();
    for crash in [false, true] {
        match crash {
            true => deployment.kill(),
            false => assert_eq!(deployment.stop(), Some(0)),
        }
        deployment.serve();
        let member = Member::new(&deployment, &certificate, &key).connect().await;
        refused(knock(&member).await, reasons::CERTIFICATE_REVOKED);
        refused(bring(&deployment, 3).await, reasons::WRONG_STATE);
        knock(&deployment.client("org1-client").await).await.expect("others are let in");
    }
    deployment.stop();
    expect_code(&deployment.verify_log(), 0);
}
