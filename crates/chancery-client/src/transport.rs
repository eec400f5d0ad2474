//! tonic's channel, with failures of the connection told apart from answers of the service.
//!
//! **Invariant**: a status that leaves here and was not sent by the service has a [`ConnectError`] or the transport's
//! error as its source, which is how [`crate::ClientError`] knows it.
//!
//! **Not here**: decoding of answers (the generated stubs).

use crate::{ClientError, connect::Connector};
use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::{Status, body::Body, transport::Channel};
use tower::Service;

/// What the generated stubs of [`crate::Client`] call through. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Transport {
    pub(crate) channel: Channel,
    pub(crate) connector: Arc<Connector>,
}

impl Service<http::Request<Body>> for Transport {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.channel.poll_ready(cx).map_err(|error| status(&self.connector, error))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.channel.call(request);
        let connector = Arc::clone(&self.connector);
        Box::pin(async move { answer.await.map_err(|error| status(&connector, error)) })
    }
}

fn status(connector: &Connector, error: tonic::transport::Error) -> Status {
    let source: Arc<dyn Error + Send + Sync> = match connector.refusal() {
        Some(refusal) => Arc::new(refusal),
        None => Arc::new(error),
    };
    let decoded = ClientError::from_transport(&*source);
    let mut status = Status::new(decoded.code, decoded.message);
    status.set_source(source);
    status
}
