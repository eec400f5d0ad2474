//! Connections to a real TLS server: who is trusted both ways, failover, and what is said when it fails.

mod deployment;

use chancery_api::{
    reasons,
    v1::{
        Checkpoint, GetCheckpointRequest, ListRecordsRequest, ListRecordsResponse,
        audit_service_server::{AuditService, AuditServiceServer},
    },
};
use chancery_client::{Client, ClientConfig, ClientError, Code};
use deployment::{Authority, ClientFiles, Deployment, Running};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tonic::{Request, Response, Status, service::Routes};

const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a PKCS#11 module is answered.
const TO_A_MODULE: u64 = 1 << 32;

/// Answers with how often it was asked, unless it is a module that asks.
#[derive(Default)]
struct Counter(Arc<AtomicU64>);

#[tonic::async_trait]
impl AuditService for Counter {
    async fn get_checkpoint(&self, request: Request<GetCheckpointRequest>) -> Result<Response<Checkpoint>, Status> {
        let size = match request.metadata().get("x-chancery-client") {
            Some(kind) if kind == "pkcs11" => TO_A_MODULE,
            _ => self.0.fetch_add(1, Ordering::Relaxed),
        };
        Ok(Response::new(Checkpoint { size, ..Checkpoint::default() }))
    }

    async fn list_records(&self, _: Request<ListRecordsRequest>) -> Result<Response<ListRecordsResponse>, Status> {
        std::future::pending().await
    }

    type TailRecordsStream = tokio_stream::Pending<Result<chancery_api::v1::TailRecordsResponse, Status>>;

    async fn tail_records(
        &self,
        _: Request<chancery_api::v1::TailRecordsRequest>,
    ) -> Result<Response<Self::TailRecordsStream>, Status> {
        Ok(Response::new(tokio_stream::pending()))
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<chancery_api::v1::GetInclusionProofRequest>,
    ) -> Result<Response<chancery_api::v1::InclusionProof>, Status> {
        std::future::pending().await
    }

    async fn get_consistency_proof(
        &self,
        _: Request<chancery_api::v1::GetConsistencyProofRequest>,
    ) -> Result<Response<chancery_api::v1::ConsistencyProof>, Status> {
        std::future::pending().await
    }
}

async fn serve(deployment: &Deployment, address: SocketAddr) -> Running {
    deployment.serve(address, Routes::new(AuditServiceServer::new(Counter::default()))).await
}

async fn connect(config: &Path) -> Result<Client, ClientError> {
    Client::connect(&ClientConfig::load(config).unwrap()).await
}

async fn ask(client: &Client) -> Result<u64, ClientError> {
    let answer = client.retry(|attempt| {
        let (mut audit, request) = (client.audit(), attempt.request(GetCheckpointRequest {}));
        async move { audit.get_checkpoint(request).await }
    });
    answer.await.map(|checkpoint| checkpoint.size)
}

#[tokio::test]
async fn calls_go_through_one_connection() {
    let deployment = Deployment::new();
    let server = serve(&deployment, FREE).await;
    let config = deployment.write("peer0", &deployment.good(&server.addresses()));
    let client = connect(&config).await.unwrap();
    for asked in 0..3 {
        assert_eq!(ask(&client).await, Ok(asked));
    }
    assert_eq!(client.connections_made(), 1);
}

/// TLS 1.3 tells a client only after its own handshake that its certificate was refused; it must be told every time.
#[tokio::test]
async fn a_refused_certificate_is_said_to_be_refused() {
    let deployment = Deployment::new();
    let server = serve(&deployment, FREE).await;
    let addresses = server.addresses();
    let stranger = Authority::new("stranger");
    let good = || deployment.good(&addresses);
    let unknown = deployment.write("unknown", &ClientFiles { issuer: &stranger, ..good() });
    let expired = deployment.write("expired", &ClientFiles { expired: true, ..good() });
    for (config, reason, words) in
        [(unknown, reasons::UNKNOWN_ANCHOR, "trust anchor"), (expired, reasons::CERTIFICATE_EXPIRED, "expired")]
    {
        for _ in 0..20 {
            let client = connect(&config).await.unwrap();
            let error = ask(&client).await.unwrap_err();
            assert_eq!((error.code, error.reason.as_deref()), (Code::Unauthenticated, Some(reason)), "{error}");
            assert!(error.message.contains(words) && !error.retryable, "{error}");
        }
    }
}

#[tokio::test]
async fn an_impostor_is_not_trusted() {
    let deployment = Deployment::new();
    let server = serve(&deployment, FREE).await;
    let addresses = server.addresses();
    let other = Authority::new("other deployment");
    for (name, files) in [
        ("other-ca", ClientFiles { ca: &other, ..deployment.good(&addresses) }),
        ("other-name", ClientFiles { server_name: "signer.example.com", ..deployment.good(&addresses) }),
    ] {
        let error = connect(&deployment.write(name, &files)).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (Code::Unavailable, false), "{error}");
        assert!(error.message.contains("not the service we trust"), "{error}");
    }
}

#[tokio::test]
async fn the_second_address_serves_when_the_first_is_down() {
    let deployment = Deployment::new();
    let server = serve(&deployment, FREE).await;
    // Bound and not listening: nothing answers there, and nobody else can take the port.
    let down = tokio::net::TcpSocket::new_v4().unwrap();
    down.bind(FREE).unwrap();
    let addresses = [down.local_addr().unwrap().to_string(), server.address.to_string()];
    let client = connect(&deployment.write("both", &deployment.good(&addresses))).await.unwrap();
    assert_eq!(ask(&client).await, Ok(0));

    let error = connect(&deployment.write("down", &deployment.good(&addresses[..1]))).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true));
    assert!(error.message.contains(&addresses[0]), "{error}");
}

#[tokio::test]
async fn a_lazy_client_connects_when_it_is_used_and_says_what_it_is() {
    let deployment = Deployment::new();
    let server = serve(&deployment, FREE).await;
    let config = ClientConfig::load(&deployment.write("peer0", &deployment.good(&server.addresses()))).unwrap();
    let client = Client::lazy(&config).unwrap();
    assert_eq!(client.connections_made(), 0);
    assert_eq!(ask(&client).await, Ok(0));
    assert_eq!(client.connections_made(), 1);
    let module = Client::lazy(&config.of_kind("pkcs11")).unwrap();
    assert_eq!(ask(&module).await, Ok(TO_A_MODULE));
}

#[tokio::test]
async fn a_connection_that_is_given_up_is_made_again_at_the_next_address() {
    let deployment = Deployment::new();
    let servers = [serve(&deployment, FREE).await, serve(&deployment, FREE).await];
    let addresses = servers.each_ref().map(|server| server.address.to_string());
    let config = ClientConfig::load(&deployment.write("both", &deployment.good(&addresses))).unwrap();
    let client = Client::lazy(&config).unwrap();
    assert_eq!((ask(&client).await, ask(&client).await), (Ok(0), Ok(1)));
    let hanging = tokio::spawn({
        let mut audit = client.audit();
        async move { audit.list_records(ListRecordsRequest::default()).await.map_err(ClientError::from) }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    client.abandon();
    let error = hanging.await.unwrap().unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true), "{error}");
    // The other one was not asked before.
    assert_eq!(ask(&client).await, Ok(0));
    client.abandon();
    assert_eq!(ask(&client).await, Ok(2));
    assert_eq!(client.connections_made(), 3);
}

#[tokio::test]
async fn a_service_that_comes_back_is_found_again_within_the_call() {
    let deployment = Deployment::new();
    // The server's connections live on a runtime of their own, which is dropped with them.
    let first = tokio::runtime::Runtime::new().unwrap();
    let deployment = Arc::new(deployment);
    let server = {
        let deployment = Arc::clone(&deployment);
        first.spawn(async move { serve(&deployment, FREE).await }).await.unwrap()
    };
    let address = server.address;
    let client = connect(&deployment.write("peer0", &deployment.good(&[address.to_string()]))).await.unwrap();
    assert_eq!(ask(&client).await, Ok(0));
    drop(server);
    first.shutdown_background();

    let asking = tokio::spawn(async move { (ask(&client).await, client.connections_made()) });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let _second = serve(&deployment, address).await;
    assert_eq!(asking.await.unwrap(), (Ok(0), 2));
}

#[tokio::test]
async fn a_service_that_hangs_is_given_up_at_the_deadline() {
    let deployment = Deployment::new();
    let server = serve(&deployment, FREE).await;
    let addresses = server.addresses();
    let config = deployment.write("hasty", &ClientFiles { deadline: "200ms", ..deployment.good(&addresses) });
    let client = connect(&config).await.unwrap();
    let answer = client.retry(|attempt| {
        let (mut audit, request) = (client.audit(), attempt.request(ListRecordsRequest::default()));
        async move { audit.list_records(request).await }
    });
    assert_eq!(answer.await.unwrap_err().code, Code::DeadlineExceeded);
}
