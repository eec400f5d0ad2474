//! TLS servers of OpenSSL's and GnuTLS's whose key is behind the module; clients that never loaded it connect.

use crate::{
    desk::Desk,
    harness::{Deployment, signal},
    openssl_engine::{certified, key},
    pkcs11::{LABEL, PIN, bounded, module, run, succeed},
};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const CLIENT: &str = "org1-client";

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // `timeout` hands it on.
        signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

/// A client that believes in the server's certificate and nothing else.
fn client(desk: &Desk, port: &str, options: &str) -> Command {
    let verify = "-verify_return_error -verify_hostname localhost -CAfile certificate.pem";
    let line = format!("s_client -brief -connect 127.0.0.1:{port} -servername localhost {verify} {options}");
    let mut client = bounded("openssl");
    client.current_dir(desk.path("")).args(line.split_whitespace());
    client
}

/// Connects until the server answers: what s_client printed.
fn connect(desk: &Desk, port: &str, options: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = run(&mut client(desk, port, options));
        if answer.code == Some(0) {
            return answer.text;
        }
        let log = String::from_utf8_lossy(&desk.read("server.log")).into_owned();
        assert!(Instant::now() < deadline, "{}\nserver: {log}", answer.text);
        thread::sleep(Duration::from_millis(100));
    }
}

/// Each version of TLS, twice: full handshakes, since each client is a process of its own.
fn is_reached(desk: &Desk, port: &str, kind: &str) {
    for version in ["1.2", "1.3", "1.2", "1.3"] {
        let said = connect(desk, port, &format!("-tls{}", version.replace('.', "_")));
        for part in [&format!("TLSv{version}"), "Verification: OK", kind] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

/// openssl's server with a key of its own making, and its port.
fn openssl_server(desk: &Desk, key_type: &str, label: &str, id: &str) -> (Server, String) {
    certified(desk, key_type, label, id);
    let line = format!("s_server -accept 127.0.0.1:0 -www -cert certificate.pem {}", key("-key", label));
    let mut server = start(desk, desk.command("openssl", &line).env("OPENSSL_CONF", desk.path("engine.cnf")));
    let port = port(&mut server);
    (server, port)
}

/// Where openssl's server says that it listens.
fn port(server: &mut Server) -> String {
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.filter_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned)).next();
    port.expect("the server listens")
}

fn openssl_serves(key_type: &str, label: &str, id: &str, kind: &str) {
    let desk = Desk::new(CLIENT);
    let (_server, port) = openssl_server(&desk, key_type, label, id);
    is_reached(&desk, &port, kind);
}

/// A server that says what ails it in `server.log`.
fn start(desk: &Desk, command: &mut Command) -> Server {
    let log = File::create(desk.path("server.log")).unwrap();
    Server(command.stdout(Stdio::piped()).stderr(log).spawn().unwrap())
}

#[test]
fn openssl_serves_with_an_ec_key() {
    openssl_serves("EC:prime256v1", "tls-p256", "f001", "ECDSA");
}

#[test]
fn openssl_serves_with_an_rsa_key() {
    openssl_serves("rsa:2048", "tls-rsa", "f002", "RSA-PSS");
}

fn gnutls_serves(key_type: &str, label: &str, id: &str, kind: &str) {
    let desk = Desk::new(CLIENT);
    certified(&desk, key_type, label, id);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let key = format!("--x509keyfile=pkcs11:token={LABEL};object={label};type=private;pin-value={PIN}");
    let line = format!("--http --port {port} --x509certfile certificate.pem {key}");
    let mut server = desk.command("gnutls-serv", &line);
    let _server = start(&desk, server.arg("--provider").arg(module()));
    is_reached(&desk, &port, kind);
}

#[test]
fn gnutls_serves_with_an_ec_key() {
    gnutls_serves("EC:prime256v1", "tls-gnutls-ec", "f003", "ECDSA");
}

#[test]
fn gnutls_serves_with_an_rsa_key() {
    gnutls_serves("rsa:2048", "tls-gnutls-rsa", "f005", "RSA-PSS");
}

/// The other way round: a server that never loaded the module asks its clients who they are.
#[test]
fn a_client_proves_itself_to_a_server() {
    let (desk, label) = (Desk::new(CLIENT), "tls-client");
    certified(&desk, "EC:secp384r1", label, "f006");
    desk.judge("req -x509 -newkey rsa:2048 -nodes -keyout server.key -subj /CN=server -days 2 -out server.pem");
    let listen = "-accept 127.0.0.1:0 -www -cert server.pem -key server.key";
    let line = format!("s_server {listen} -Verify 1 -verify_return_error -CAfile certificate.pem");
    let mut server = bounded("openssl");
    server.current_dir(desk.path("")).args(line.split_whitespace());
    let mut server = start(&desk, &mut server);
    let port = port(&mut server);
    for version in ["tls1_2", "tls1_3"] {
        let connect = format!("s_client -connect 127.0.0.1:{port} -{version} -CAfile server.pem -verify_return_error");
        let identity = format!("-cert certificate.pem {}", key("-key", label));
        // The page, which the server gives only to whom it knows.
        desk.write("request", "GET / HTTP/1.0\r\n\r\n");
        let mut known = desk.command("openssl", &format!("{connect} -ign_eof {identity}"));
        known.env("OPENSSL_CONF", desk.path("engine.cnf")).stdin(File::open(desk.path("request")).unwrap());
        let page = succeed(&mut known).text;
        assert!(page.contains("HTTP/1.0 200 ok") && page.contains("CN = localhost"), "{page}");
        let mut stranger = desk.command("openssl", &format!("{connect} -ign_eof"));
        let page = run(stranger.stdin(File::open(desk.path("request")).unwrap())).text;
        assert!(!page.contains("HTTP/1.0 200 ok"), "{page}");
    }
}

/// Whoever connects while the service is away waits; no handshake fails, and the server is never started anew.
#[test]
fn a_server_outlives_its_service() {
    let mut service = Deployment::start();
    let desk = Desk::of(&service, CLIENT);
    let configuration = service.client_dir(CLIENT).join("pkcs11.toml");
    let patient = fs::read_to_string(&configuration).unwrap().replace("\"30s\"", "\"120s\"");
    fs::write(configuration, patient).unwrap();
    let (_server, port) = openssl_server(&desk, "EC:prime256v1", "tls-outage", "f004");
    is_reached(&desk, &port, "ECDSA");
    for _ in 0..3 {
        service.kill();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| succeed(&mut client(&desk, &port, "-tls1_3")).text);
            thread::sleep(Duration::from_millis(500));
            service.serve();
            let said = waiting.join().unwrap();
            assert!(said.contains("Verification: OK"), "{said}");
        });
    }
}
