//! A second address of the service: a TCP forwarder that drops its connections when it is told to.
//!
//! **Invariant**: it copies bytes and looks at none; clients check the service's certificate through it.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Forwards until it is dropped.
pub(crate) struct Forwarder {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Forwarder {
    /// To a service that may come and go.
    pub(crate) fn to(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let forwarder = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&forwarder.state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A client that nobody answers is dropped, as by a gateway whose service is away.
                if !state.closed.load(Ordering::Relaxed)
                    && let Ok(service) = TcpStream::connect(service)
                {
                    state.forward(client, service);
                }
            }
        });
        forwarder
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection; with `closed`, new ones are dropped as well, until the next call.
    pub(crate) fn cut(&self, closed: bool) {
        self.state.closed.store(closed, Ordering::Relaxed);
        for connection in self.state.open.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    fn forward(&self, client: TcpStream, service: TcpStream) {
        let pair = |stream: &TcpStream| stream.try_clone().unwrap();
        self.open.lock().unwrap().extend([pair(&client), pair(&service)]);
        for (from, to) in [(pair(&client), pair(&service)), (service, client)] {
            thread::spawn(move || copy(from, to));
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.cut(true);
    }
}
