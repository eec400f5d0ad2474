//! An address of the service that can be down, or hang: a TCP proxy on a loopback port of its own.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// What an address does with what comes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Passes it on.
    Up,
    /// Ends every connection.
    Down,
    /// Takes connections and bytes, and is silent.
    Silent,
}

struct Shared {
    mode: AtomicU8,
    taken: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

/// See the module. Its threads end with the test process.
pub struct Proxy {
    shared: Arc<Shared>,
    pub address: SocketAddr,
}

impl Shared {
    fn is(&self, mode: Mode) -> bool {
        self.mode.load(Ordering::SeqCst) == mode as u8
    }

    /// Copies one way until an end, or while silent nothing.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 1 << 14];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            while self.is(Mode::Silent) {
                thread::sleep(Duration::from_millis(10));
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

impl Proxy {
    /// Of the service at this address.
    pub fn to(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { mode: AtomicU8::new(0), taken: AtomicU64::new(0), open: Mutex::new(Vec::new()) });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                serving.taken.fetch_add(1, Ordering::SeqCst);
                if serving.is(Mode::Down) {
                    continue;
                }
                let Ok(service) = TcpStream::connect(service) else { continue };
                serving.open.lock().unwrap().extend([client.try_clone().unwrap(), service.try_clone().unwrap()]);
                for (from, to) in [(&client, &service), (&service, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let serving = Arc::clone(&serving);
                    thread::spawn(move || serving.pass(from, to));
                }
            }
        });
        Self { shared, address }
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::SeqCst);
        if mode == Mode::Down {
            for stream in self.shared.open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Connections that came so far.
    pub fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::SeqCst)
    }
}
