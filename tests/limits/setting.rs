//! Limits as officers set them, and deployments with limits of their own.

#![allow(unreachable_pub, reason = "a test has no public")]

use crate::{
    harness::Deployment,
    shared::{call, id, signing},
};
use chancery_api::{
    reasons,
    v1::{Algorithm, Limit, ListLimitsRequest, Protection, SetLimitRequest},
};
use chancery_client::{Client, ClientError, Code};
use futures_util::future::join_all;
use std::{fs, time::Duration};

/// Sets a limit, as an officer of the subject's organization.
pub async fn set(officer: &Client, limit: Limit) -> Limit {
    let request = SetLimitRequest { limit: Some(limit), request_id: id() };
    call(officer.admin().set_limit(request)).await.unwrap()
}

/// A limit that limits nothing yet.
pub fn of(subject: &str) -> Limit {
    Limit { subject: subject.into(), ..Limit::default() }
}

/// A subject's limit as it is listed.
pub async fn listed(officer: &Client, subject: &str) -> Limit {
    let parent = subject.split('/').take(2).collect::<Vec<_>>().join("/");
    let request = ListLimitsRequest { parent, page_size: 1000, page_token: String::new() };
    let answer = call(officer.admin().list_limits(request)).await.unwrap();
    answer.limits.into_iter().find(|limit| limit.subject == subject).unwrap()
}

/// Signs so many times at once; what came of each.
pub async fn sign_at_once(client: &Client, key: &str, times: usize) -> Vec<Result<(), ClientError>> {
    let sign = |_| async { crate::shared::sign(client, signing(key, b"x")).await.map(drop) };
    join_all((0..times).map(sign)).await
}

/// How many succeeded; all others must have been refused for `reason`.
#[track_caller]
pub fn let_through(answers: &[Result<(), ClientError>], reason: &str) -> usize {
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!((error.code, error.reason.as_deref()), (Code::ResourceExhausted, Some(reason)), "{error}");
        let comes_again = !matches!(reason, reasons::TOO_MANY_KEYS) && error.retry_after.is_some();
        assert_eq!(error.retryable, comes_again, "{error}");
        assert_eq!(error.performed, None, "nothing was begun");
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// Waits until a day (UTC) is not about to end.
pub async fn away_from_midnight() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let left = 86_400 - now % 86_400;
    if left < 60 {
        tokio::time::sleep(Duration::from_secs(left + 1)).await;
    }
}

/// Stops a deployment and starts it with more in its configuration.
pub fn configured(deployment: &mut Deployment, more: &str) {
    deployment.stop();
    let path = deployment.dir().join("chancery.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{more}\n")).unwrap();
    deployment.serve();
}

/// A deployment with these keys in `[limits]`.
pub fn limited(limits: &str) -> Deployment {
    let mut deployment = Deployment::start();
    configured(&mut deployment, &format!("[limits]\n{limits}"));
    deployment
}

/// A key of `owner` on a deployment of a test's own: fast to sign with.
pub async fn create(deployment: &Deployment, name: &str, owner: &str) {
    let organization = name.split('/').nth(1).unwrap();
    let officer = deployment.client(&format!("{organization}-security")).await;
    let mut request = crate::shared::creation(name, owner, Algorithm::EcP256);
    request.key.as_mut().unwrap().protection = Protection::Enclave.into();
    crate::shared::make(&officer, request).await;
}
