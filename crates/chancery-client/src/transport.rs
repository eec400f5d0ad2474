//! tonic's channel, with failures of the connection told apart from answers of the service.
//!
//! **Invariant**: a status that leaves here and was not sent by the service has a [`ConnectError`] or the transport's
//! error as its source, which is how [`crate::ClientError`] knows it.
//!
//! **Not here**: decoding of answers (the generated stubs).

use crate::{ClientError, ConnectError, connect::Connector, log::History};
use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::{Status, body::Body, transport::Channel};
use tower::{Service, ServiceExt as _};

/// What the generated stubs of [`crate::Client`] call through. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Transport {
    pub(crate) channel: Channel,
    pub(crate) connector: Arc<Connector>,
    /// With a log configured: what its checkpoints must extend.
    pub(crate) history: Option<Arc<History>>,
    /// What the service is told of who asks.
    pub(crate) kind: Option<&'static str>,
}

/// Metadata that says what kind of client asks.
const KIND: &str = "x-chancery-client";

impl Transport {
    /// One that does not look at the log.
    pub(crate) fn unchecked(&self) -> Self {
        Self { history: None, ..self.clone() }
    }
}

impl Service<http::Request<Body>> for Transport {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // A place in the channel's queue is taken only once the log was asked about, which needs places of its own.
        if self.history.is_some() {
            return Poll::Ready(Ok(()));
        }
        self.channel.poll_ready(cx).map_err(|error| status(&self.connector, error))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if let Some(history) = self.history.clone() {
            let mut transport = self.unchecked();
            return Box::pin(async move {
                history.ensure(&transport).await.map_err(contradicted)?;
                let answer = transport.ready().await?.call(request).await?;
                // The connection may have been made anew for this call.
                history.ensure(&transport).await.map_err(contradicted)?;
                Ok(answer)
            });
        }
        if let Some(kind) = self.kind {
            request.headers_mut().insert(KIND, http::HeaderValue::from_static(kind));
        }
        let answer = self.channel.call(request);
        let connector = Arc::clone(&self.connector);
        Box::pin(async move { answer.await.map_err(|error| status(&connector, error)) })
    }
}

fn contradicted(error: ConnectError) -> Status {
    let mut status = Status::new(ClientError::from(error.clone()).code, error.to_string());
    status.set_source(Arc::new(error));
    status
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
