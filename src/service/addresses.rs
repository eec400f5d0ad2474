//! Where a service listens, told to whoever started it.

use std::{fmt, net::SocketAddr};

/// The addresses that were bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Of the gRPC API.
    pub api: SocketAddr,
    /// Of the HTTPS mirror.
    pub mirror: Option<SocketAddr>,
    /// What key operations still wait for, in words; `None`: for nothing.
    pub waits: Option<String>,
}

impl Addresses {
    /// Prints its lines, in one piece: whoever waits for `ready` may close the pipe once it has read that.
    pub fn print(&self) {
        let lines = format!("{self}\n");
        print!("{lines}");
    }
}

/// The lines that are printed once the service is ready to be asked; a last one says what key operations wait for.
impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mirror) = self.mirror {
            writeln!(f, "mirror {mirror}")?;
        }
        write!(f, "ready {}", self.api)?;
        match &self.waits {
            Some(text) => write!(f, "\nbut {text}"),
            None => Ok(()),
        }
    }
}
