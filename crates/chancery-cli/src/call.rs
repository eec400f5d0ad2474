//! One call of one method, repeated while that is safe.
//!
//! **Invariant**: every try sends the same message, with the same request id.
//!
//! **Not here**: what is safe to repeat, and for how long ([`Client::retry`]).

use crate::failure::{CliError, Doing as _};
use chancery_client::Client;
use std::future::Future;
use tonic::{Request, Response, Status};

/// Calls `method` of `stub`; `doing` completes "can't …".
pub(crate) async fn call<S, Q, A, F>(
    client: &Client,
    stub: S,
    request: &Q,
    method: impl Fn(S, Request<Q>) -> F,
    doing: impl Into<String>,
) -> Result<A, CliError>
where
    S: Clone,
    Q: Clone,
    F: Future<Output = Result<Response<A>, Status>>,
{
    client.retry(|attempt| method(stub.clone(), attempt.request(request.clone()))).await.doing(doing)
}
