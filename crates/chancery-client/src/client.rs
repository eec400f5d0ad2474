//! The connection, and the stubs that call through it.
//!
//! **Invariant**: a lost connection is made again by the next call, on whichever address answers.
//!
//! **Not here**: repeating the call that was lost (`retry`).

use crate::{ClientConfig, ClientError, ConnectError, Transport, connect::Connector, log::History};
use chancery_api::v1::{
    admin_service_client::AdminServiceClient, audit_service_client::AuditServiceClient,
    certificate_service_client::CertificateServiceClient, crypto_service_client::CryptoServiceClient,
    key_service_client::KeyServiceClient, object_service_client::ObjectServiceClient,
    signing_service_client::SigningServiceClient,
};
use std::{fmt, sync::Arc, time::Duration};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::service_fn;

/// A page of audit records may be this long, in bytes; a record is at most 1 MiB.
const MAX_AUDIT_PAGE: usize = 64 << 20;

/// Pings keep a quiet connection alive through firewalls, and tell a dead one.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What `grpc.health.v1` says of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Signatures are released.
    Serving,
    /// No signature could be released: the token or the log is down.
    NotServing,
}

/// A connection to the service. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    deadline: Duration,
}

impl Client {
    /// Connects to the first address that answers. Needs a Tokio runtime, and stays with it.
    ///
    /// A certificate that the service does not accept shows at the first call only, as TLS 1.3 has it.
    ///
    /// # Errors
    /// UNAVAILABLE when no address answers, or when what answers is not the service; DATA_LOSS when its log does not
    /// extend the largest checkpoint seen.
    pub async fn connect(config: &ClientConfig) -> Result<Self, ClientError> {
        let connector = Arc::new(Connector::new(config));
        let make = Arc::clone(&connector);
        let channel = endpoint(config)?
            .connect_with_connector(service_fn(move |_| Arc::clone(&make).connect()))
            .await
            .map_err(|error| ClientError::from_transport(&error))?;
        let client = Self::over(config, channel, connector);
        if let Some(history) = &client.transport.history {
            history.ensure(&client.transport.unchecked()).await?;
        }
        Ok(client)
    }

    /// Connects at the first call: why there is no connection is that call's error. Must be called within a Tokio runtime,
    /// and stays with it.
    ///
    /// # Errors
    /// None that an address of a [`ClientConfig`] gives.
    pub fn lazy(config: &ClientConfig) -> Result<Self, ClientError> {
        let connector = Arc::new(Connector::new(config));
        let make = Arc::clone(&connector);
        let channel = endpoint(config)?.connect_with_connector_lazy(service_fn(move |_| Arc::clone(&make).connect()));
        Ok(Self::over(config, channel, connector))
    }

    fn over(config: &ClientConfig, channel: Channel, connector: Arc<Connector>) -> Self {
        let history = config.log.as_ref().map(|log| Arc::new(History::new(log)));
        let transport = Transport { channel, connector, history, kind: config.kind };
        Self { transport, deadline: config.deadline }
    }

    /// Gives up the connection that there is now: what waits on it fails as if it were lost, and the next connection
    /// begins with the next address.
    pub fn abandon(&self) {
        self.transport.connector.abandon();
    }

    /// Signatures.
    pub fn signing(&self) -> SigningServiceClient<Transport> {
        SigningServiceClient::new(self.transport.clone())
    }

    /// Keys and their life.
    pub fn keys(&self) -> KeyServiceClient<Transport> {
        KeyServiceClient::new(self.transport.clone())
    }

    /// Keys and certificates as PKCS#11 objects.
    pub fn objects(&self) -> ObjectServiceClient<Transport> {
        ObjectServiceClient::new(self.transport.clone())
    }

    /// Uses of keys that are not signatures. The service keeps no result: a call that is repeated is a new use.
    pub fn crypto(&self) -> CryptoServiceClient<Transport> {
        CryptoServiceClient::new(self.transport.clone())
    }

    /// Certificate signing requests and certificates.
    pub fn certificates(&self) -> CertificateServiceClient<Transport> {
        CertificateServiceClient::new(self.transport.clone())
    }

    /// Organizations, their registry, policies and limits.
    pub fn admin(&self) -> AdminServiceClient<Transport> {
        AdminServiceClient::new(self.transport.clone())
    }

    /// The audit log.
    pub fn audit(&self) -> AuditServiceClient<Transport> {
        AuditServiceClient::new(self.transport.clone()).max_decoding_message_size(MAX_AUDIT_PAGE)
    }

    /// What the stubs call through, for those of other crates: reflection, say.
    pub fn transport(&self) -> Transport {
        self.transport.clone()
    }

    /// Whether the service can release signatures now.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.health_of("").await
    }

    /// Whether one part of the service is up: `chancery.audit-log` or `chancery.token`, say.
    ///
    /// # Errors
    /// When it can't be asked, or has no such part.
    pub async fn health_of(&self, part: &str) -> Result<Health, ClientError> {
        let answer = self
            .retry(|attempt| {
                let mut health = HealthClient::new(self.transport.clone());
                let request = attempt.request(HealthCheckRequest { service: part.to_owned() });
                async move { health.check(request).await }
            })
            .await?;
        Ok(match answer.status() {
            ServingStatus::Serving => Health::Serving,
            _ => Health::NotServing,
        })
    }

    /// How long one call may take, retries included.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// How many connections were made so far: one, and one for each time that it was lost.
    pub fn connections_made(&self) -> u64 {
        self.transport.connector.made()
    }
}

fn endpoint(config: &ClientConfig) -> Result<Endpoint, ClientError> {
    // `https` stands for the scheme only: the connector makes the TLS, to addresses of its own.
    let authority = &config.addresses[0];
    let endpoint = Endpoint::from_shared(format!("https://{authority}"))
        .map_err(|error| ClientError::from(ConnectError::Unreachable(error.to_string())))?;
    Ok(endpoint.http2_keep_alive_interval(PING_INTERVAL).keep_alive_timeout(PING_TIMEOUT).keep_alive_while_idle(true))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
