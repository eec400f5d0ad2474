//! client.toml: where the service is, and the credentials to show it.
//!
//! **Invariants**
//! * A [`ClientConfig`] is complete and consistent: its files were read, its key belongs to its certificate.
//! * Unknown keys are errors; paths are relative to the file that names them.
//!
//! **Not here**: environment variables and options (whoever loads the file), slots (the PKCS#11 library's own file).

use crate::{credentials, log::LogConfig};
use chancery_api::names::OrganizationName;
use chancery_audit::checkpoint::KeyError;
use rustls_pki_types::ServerName;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

/// The deadline of a call where the file names none.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
const LONGEST_DEADLINE: Duration = Duration::from_secs(3600);

/// Why a client's configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no TOML, or has an unknown key, or lacks one.
    #[error("{}, line {line}: {problem}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// Why; never a part of the file, which may be a key given by mistake.
        problem: String,
    },
    /// A value can't be what its key means.
    #[error("{}: `{key}` {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key in it.
        key: &'static str,
        /// What is wrong with the value.
        problem: String,
    },
    /// A certificate or key file does not hold what it should.
    #[error("{}: {problem}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong; never a part of the file.
        problem: String,
    },
}

/// `HOST:PORT`; an IPv6 address stands in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// A DNS name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            // Without brackets it would not be clear where an IPv6 address ends.
            if bracketed.is_none() && host.contains(':') {
                return None;
            }
            let host = bracketed.unwrap_or(host);
            ServerName::try_from(host).ok()?;
            Some(Self { host: host.to_owned(), port: port.parse().ok().filter(|port| *port != 0)? })
        };
        parse().ok_or_else(|| format!("must be HOST:PORT, e.g. \"127.0.0.1:7443\", and not {text:?}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// client.toml as it is written; a file with more in it takes its part from here. Paths are relative to the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawClientConfig {
    /// One address.
    pub address: Option<String>,
    /// Or several, tried in turn.
    pub addresses: Option<Vec<String>>,
    /// The name in the server's certificate.
    pub server_name: Option<String>,
    /// The deployment's own CA.
    pub ca: PathBuf,
    /// With intermediates, if its anchor needs them.
    pub certificate: PathBuf,
    /// Of the certificate.
    pub key: PathBuf,
    /// For one call, retries included.
    pub deadline: Option<String>,
    /// Where a command needs one and none is named.
    pub organization: Option<String>,
    /// Each connection's log must extend what was seen before.
    pub log: Option<RawLog>,
}

/// Its section `[log]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLog {
    /// The log's public key.
    pub key: PathBuf,
    /// The largest checkpoint seen.
    pub seen: PathBuf,
}

/// Reads a TOML file into its mirror.
///
/// # Errors
/// [`ConfigError::Read`] and [`ConfigError::Parse`].
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::Parse { path: path.to_owned(), line, problem: error.message().to_owned() }
    })
}

/// All that a client needs to connect.
#[derive(Clone)]
pub struct ClientConfig {
    pub(crate) addresses: Vec<Address>,
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) deadline: Duration,
    pub(crate) log: Option<LogConfig>,
    pub(crate) kind: Option<&'static str>,
    organization: Option<OrganizationName>,
}

impl ClientConfig {
    /// Reads client.toml and the files it names:
    ///
    /// ```toml
    /// address      = "127.0.0.1:7443"        # or addresses = ["…", "…"], tried in turn
    /// ca           = "ca.pem"                # the deployment's own CA
    /// certificate  = "cert.pem"              # with intermediates, if its anchor needs them
    /// key          = "key.pem"
    /// server_name  = "localhost"             # optional: the name in the server's certificate; default: the host
    /// deadline     = "30s"                   # optional: for one call, retries included
    /// organization = "org1"                  # optional: where a command needs one and none is named
    ///
    /// [log]                                  # optional: each connection's log must extend what was seen before
    /// key  = "audit.vkey"                    # the log's public key
    /// seen = "checkpoint.seen"               # the largest checkpoint seen; processes may share the file
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the key at fault.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        read_toml::<RawClientConfig>(path)?.parse(path)
    }
}

impl RawClientConfig {
    /// Checks what was written in the file at `path`, and reads the files that it names.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the key at fault.
    pub fn parse(self, path: &Path) -> Result<ClientConfig, ConfigError> {
        let raw = self;
        let value = |key| move |problem| ConfigError::Value { path: path.to_owned(), key, problem };

        let addresses = match (raw.address, raw.addresses) {
            (Some(one), None) => vec![one.parse().map_err(value("address"))?],
            (None, Some(many)) if !many.is_empty() => {
                many.iter().map(|address| address.parse()).collect::<Result<_, _>>().map_err(value("addresses"))?
            }
            (Some(_), Some(_)) => {
                return Err(value("addresses")("must not stand beside `address`: keep one of them".into()));
            }
            (None, _) => return Err(value("address")("is missing: say where the service listens".into())),
        };
        let server_name = raw
            .server_name
            .map(|name| {
                ServerName::try_from(name)
                    .map_err(|_| value("server_name")("must be a DNS name or an IP address".into()))
            })
            .transpose()?;
        let organization = raw
            .organization
            .map(|id| OrganizationName::from_id(&id).map_err(|error| value("organization")(error.to_string())))
            .transpose()?;
        let deadline = match raw.deadline {
            None => DEFAULT_DEADLINE,
            Some(text) => parse_deadline(&text).map_err(value("deadline"))?,
        };

        let folder = path.parent().unwrap_or(Path::new(""));
        let tls = credentials::tls(&folder.join(raw.ca), &folder.join(raw.certificate), &folder.join(raw.key))?;
        let log = raw.log.map(|log| read_log(&folder.join(log.key), folder.join(log.seen))).transpose()?;
        Ok(ClientConfig { addresses, server_name, tls, deadline, log, kind: None, organization })
    }
}

impl ClientConfig {
    /// The same without the log: whoever keeps a history of its own.
    pub fn without_log(self) -> Self {
        Self { log: None, ..self }
    }

    /// The same, of a client that tells the service what it is (metadata `x-chancery-client`). The service knows `pkcs11`.
    pub fn of_kind(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// The addresses, in the order in which they are tried.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// How long one call may take, retries included.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The organization to use where none is named.
    pub fn organization(&self) -> Option<&OrganizationName> {
        self.organization.as_ref()
    }
}

fn read_log(path: &Path, seen: PathBuf) -> Result<LogConfig, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let problem =
        |problem: KeyError| ConfigError::Value { path: path.to_owned(), key: "log.key", problem: problem.to_string() };
    Ok(LogConfig { key: text.parse().map_err(problem)?, seen })
}

fn parse_deadline(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero() && *duration <= LONGEST_DEADLINE)
        .ok_or_else(|| format!("must be a duration of at most an hour, e.g. \"30s\", and not {text:?}"))
}

// By hand: credentials have no place in a log.
impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("addresses", &self.addresses)
            .field("server_name", &self.server_name)
            .field("deadline", &self.deadline)
            .field("organization", &self.organization)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_were_parsed() {
        for text in ["127.0.0.1:7443", "[::1]:7443", "signer.org1.example.com:1"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "7443", "localhost", "localhost:", "localhost:0", "localhost:70000", "::1:7443", "a b:1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn deadlines_are_positive_and_bounded() {
        assert_eq!(parse_deadline("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["", "30", "0s", "-1s", "2h", "soon"] {
            assert!(parse_deadline(text).is_err(), "{text}");
        }
    }
}
