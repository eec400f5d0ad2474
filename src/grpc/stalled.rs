//! No call waits for a log that hangs.
//!
//! **Invariants**: a call that is still open when the log has kept its writer waiting for longer than the deadline is
//! answered as any other that the log could not take. What it began goes on, and is in force exactly if its record comes
//! to stand: the answer says that this is unknown, and the same request id finds out.
//!
//! **Not here**: uses of keys, which have a deadline of their own (`AuditLog::append`).

use super::status::status;
use crate::audit::{AuditError, AuditLog, unavailable};
use futures_util::future::BoxFuture;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;

/// See the module.
#[derive(Clone)]
pub(super) struct Answered<S> {
    pub(super) inner: S,
    pub(super) audit: Arc<AuditLog>,
}

impl<S, R, B> Service<http::Request<R>> for Answered<S>
where
    S: Service<http::Request<R>, Response = http::Response<B>>,
    S::Future: Send + 'static,
    B: Default + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<R>) -> Self::Future {
        let (answer, audit) = (self.inner.call(request), Arc::clone(&self.audit));
        Box::pin(async move {
            tokio::select! {
                biased;
                answer = answer => answer,
                () = audit.stalled() => Ok(status(&unavailable(&AuditError::TooSlow)).into_http()),
            }
        })
    }
}
