//! The configuration file as written: every key, nothing checked but its type.

use super::{
    ArchiveOptions, BootstrapAnchor, BootstrapOrganization, BootstrapPrincipal, ConfigError, Configuration,
    DenialBytes, KeyOptions, Limits, LogOptions, OfficerOptions, Pkcs11Options, TokenOptions,
};
use crate::model::{NamePattern, OrganizationName, Role};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfiguration {
    service: RawService,
    token: RawToken,
    #[serde(default)]
    mirror: RawMirror,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    keys: RawKeys,
    #[serde(default)]
    pkcs11: RawPkcs11,
    #[serde(default)]
    officers: RawOfficers,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    witnesses: RawWitnesses,
    #[serde(default)]
    bootstrap: RawBootstrap,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    origin: String,
    listen: String,
    #[serde(default = "localhost")]
    server_names: Vec<String>,
    #[serde(default = "data")]
    data: PathBuf,
    #[serde(default = "audit")]
    audit: PathBuf,
    #[serde(default = "audit_vkey")]
    audit_vkey: PathBuf,
    #[serde(default = "policies")]
    policies: PathBuf,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawMirror {
    listen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    library: PathBuf,
    label: String,
    pin_file: PathBuf,
    #[serde(default = "sessions")]
    sessions: u32,
    #[serde(default = "open_keys")]
    open_keys: u32,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    enclave: Option<PathBuf>,
    #[serde(default = "operation_deadline_seconds")]
    operation_deadline_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    segment_mebibytes: u64,
    append_deadline_seconds: u64,
    archive: Option<PathBuf>,
    archive_after: String,
}

/// Times as people write them: `24h`, `30d`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawKeys {
    minimum_destruction_wait: String,
    default_destruction_wait: String,
    minimum_rotation_interval: String,
}

/// Times as in [`RawKeys`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPkcs11 {
    provisional: String,
    session_lease: String,
    provisional_keys: u64,
    session_keys: u64,
}

/// Times as in [`RawKeys`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawOfficers {
    second_officer: bool,
    waiting_period: String,
    approval_lifetime: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    request_bytes: usize,
    connections: usize,
    in_flight_per_connection: usize,
    denials_per_second: u32,
    handshake_seconds: u64,
    requests_per_second_per_connection: u32,
    requests_per_second_per_principal: u32,
    requests_per_second_per_organization: u32,
    keys_per_organization: u64,
    keys_per_owner: u64,
    denial_bytes_per_day: Option<u64>,
    log_bytes_per_day: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawWitnesses {
    policy: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawBootstrap {
    #[serde(default)]
    organizations: Vec<RawOrganization>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOrganization {
    id: String,
    #[serde(default)]
    enrolling_roles: Vec<String>,
    #[serde(default)]
    anchors: Vec<RawAnchor>,
    #[serde(default)]
    principals: Vec<RawPrincipal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnchor {
    certificate: PathBuf,
    #[serde(default)]
    peer: Vec<String>,
    #[serde(default)]
    orderer: Vec<String>,
    #[serde(default)]
    client: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrincipal {
    role: String,
    certificate: PathBuf,
}

fn localhost() -> Vec<String> {
    vec!["localhost".into(), "127.0.0.1".into()]
}

fn data() -> PathBuf {
    "data".into()
}

fn audit() -> PathBuf {
    "audit".into()
}

fn audit_vkey() -> PathBuf {
    "audit.vkey".into()
}

fn policies() -> PathBuf {
    "policies".into()
}

fn open_keys() -> u32 {
    16_384
}

fn sessions() -> u32 {
    2
}

fn operation_deadline_seconds() -> u64 {
    10
}

impl Default for RawLog {
    fn default() -> Self {
        Self { segment_mebibytes: 64, append_deadline_seconds: 5, archive: None, archive_after: "90d".into() }
    }
}

impl Default for RawKeys {
    fn default() -> Self {
        Self {
            minimum_destruction_wait: "24h".into(),
            default_destruction_wait: "30d".into(),
            minimum_rotation_interval: "1h".into(),
        }
    }
}

impl Default for RawPkcs11 {
    fn default() -> Self {
        Self { provisional: "1h".into(), session_lease: "10m".into(), provisional_keys: 64, session_keys: 256 }
    }
}

impl Default for RawOfficers {
    fn default() -> Self {
        Self { second_officer: true, waiting_period: "10m".into(), approval_lifetime: "24h".into() }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            request_bytes: 1 << 20,
            connections: 4096,
            in_flight_per_connection: 512,
            denials_per_second: 20,
            handshake_seconds: 10,
            requests_per_second_per_connection: 100_000,
            requests_per_second_per_principal: 0,
            requests_per_second_per_organization: 0,
            keys_per_organization: 200_000,
            keys_per_owner: 1_000,
            denial_bytes_per_day: None,
            log_bytes_per_day: 0,
        }
    }
}

fn invalid(field: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { field: field.into(), problem: problem.into() }
}

fn within<T: PartialOrd + std::fmt::Display + Copy>(field: &str, value: T, low: T, high: T) -> Result<T, ConfigError> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(invalid(field, format!("{value} is not within {low} to {high}")))
    }
}

/// Bytes of the log in a day: with less, counting alone would take them up.
fn log_share(field: &str, bytes: u64) -> Result<u64, ConfigError> {
    within(field, bytes, 1 << 20, u64::MAX)
}

/// A time of whole seconds, with days of 24 hours.
fn time(field: &str, text: &str) -> Result<Duration, ConfigError> {
    let parse = || {
        let span: jiff::Span = text.parse().ok()?;
        let seconds = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
        let whole = seconds.subsec_nanos() == 0;
        u64::try_from(seconds.as_secs()).ok().filter(|_| whole && !seconds.is_negative()).map(Duration::from_secs)
    };
    parse().ok_or_else(|| invalid(field, format!("`{text}` is no time such as `90s`, `24h` or `30d`")))
}

impl RawKeys {
    fn check(&self) -> Result<KeyOptions, ConfigError> {
        const NAMES: [&str; 3] =
            ["keys.minimum_destruction_wait", "keys.default_destruction_wait", "keys.minimum_rotation_interval"];
        let [minimum, default, interval] = NAMES;
        let options = KeyOptions {
            minimum_destruction_wait: time(minimum, &self.minimum_destruction_wait)?,
            default_destruction_wait: time(default, &self.default_destruction_wait)?,
            minimum_rotation_interval: time(interval, &self.minimum_rotation_interval)?,
        };
        let (least, wait) = (options.minimum_destruction_wait, options.default_destruction_wait);
        if !(least..=KeyOptions::MAXIMUM_DESTRUCTION_WAIT).contains(&wait) {
            return Err(invalid(default, format!("it must be from `{minimum}` to 120 days")));
        }
        if !(Duration::from_secs(1)..=KeyOptions::MAXIMUM_INTERVAL).contains(&options.minimum_rotation_interval) {
            return Err(invalid(interval, "it must be from 1 second to 10 years"));
        }
        Ok(options)
    }
}

impl RawPkcs11 {
    fn check(&self) -> Result<Pkcs11Options, ConfigError> {
        let span = |field: &str, text: &str| {
            let span = time(field, text)?;
            let allowed = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);
            if allowed.contains(&span) { Ok(span) } else { Err(invalid(field, "it must be from 1 second to 30 days")) }
        };
        Ok(Pkcs11Options {
            provisional: span("pkcs11.provisional", &self.provisional)?,
            session_lease: span("pkcs11.session_lease", &self.session_lease)?,
            provisional_keys: within("pkcs11.provisional_keys", self.provisional_keys, 1, 1 << 16)?,
            session_keys: within("pkcs11.session_keys", self.session_keys, 1, 1 << 16)?,
        })
    }
}

impl RawOfficers {
    fn check(&self) -> Result<OfficerOptions, ConfigError> {
        const NAMES: [&str; 2] = ["officers.waiting_period", "officers.approval_lifetime"];
        let [waiting, lifetime] = NAMES;
        let options = OfficerOptions {
            second_officer: self.second_officer,
            waiting_period: time(waiting, &self.waiting_period)?,
            approval_lifetime: time(lifetime, &self.approval_lifetime)?,
        };
        if options.approval_lifetime > OfficerOptions::LONGEST_LIFETIME {
            return Err(invalid(lifetime, "at most 30 days"));
        }
        if options.waiting_period >= options.approval_lifetime {
            return Err(invalid(waiting, format!("it must be shorter than `{lifetime}`")));
        }
        Ok(options)
    }
}

impl RawLog {
    /// Where old segments go; never into the log's own directory.
    fn archive(
        &self,
        log: &Path,
        absolute: &dyn Fn(PathBuf) -> PathBuf,
    ) -> Result<Option<ArchiveOptions>, ConfigError> {
        let after = time("log.archive_after", &self.archive_after)?;
        if !after.is_zero() && after < ArchiveOptions::LEAST {
            return Err(invalid("log.archive_after", "it must be at least 31 days, or `0s` to try archiving out"));
        }
        let Some(directory) = self.archive.clone().map(absolute) else { return Ok(None) };
        if directory.starts_with(log) {
            return Err(invalid("log.archive", "it must lie outside the log's directory, best on another disk"));
        }
        Ok(Some(ArchiveOptions { directory, after }))
    }
}

impl RawConfiguration {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::Malformed(error.to_string()))
    }

    pub(super) fn check(self, directory: &Path) -> Result<Configuration, ConfigError> {
        let absolute = |path: PathBuf| directory.join(path);
        let service = self.service;
        let origin_is_a_line = service.origin.chars().all(|c| c.is_ascii_graphic() && c != '+');
        if service.origin.is_empty() || service.origin.len() > 255 || !origin_is_a_line {
            return Err(invalid(
                "service.origin",
                "1 to 255 printable ASCII characters without spaces and '+' expected",
            ));
        }
        let address =
            |field, text: &str| text.parse().map_err(|_| invalid(field, format!("`{text}` is no IP-ADDRESS:PORT")));
        let listen = address("service.listen", &service.listen)?;
        let mirror = self.mirror.listen.map(|text| address("mirror.listen", &text)).transpose()?;
        if service.server_names.is_empty() {
            return Err(invalid("service.server_names", "at least one name that clients use is needed"));
        }
        if self.token.label.is_empty() || self.token.label.len() > 32 {
            return Err(invalid("token.label", "1 to 32 bytes expected (PKCS#11 v3.0 §3.4)"));
        }
        let log = LogOptions {
            segment_bytes: within("log.segment_mebibytes", self.log.segment_mebibytes, 1, 4096)? << 20,
            append_deadline: Duration::from_secs(within(
                "log.append_deadline_seconds",
                self.log.append_deadline_seconds,
                1,
                600,
            )?),
            archive: self.log.archive(&absolute(service.audit.clone()), &absolute)?,
        };
        let token = TokenOptions {
            library: absolute(self.token.library),
            label: self.token.label,
            pin_file: absolute(self.token.pin_file),
            sessions: within("token.sessions", self.token.sessions, 1, 256)?,
            open_keys: within("token.open_keys", self.token.open_keys, 1, 1 << 20)?,
            environment: self.token.environment,
            enclave: self.token.enclave.map(absolute),
            operation_deadline: Duration::from_secs(within(
                "token.operation_deadline_seconds",
                self.token.operation_deadline_seconds,
                1,
                600,
            )?),
        };
        let raw = self.limits;
        let limits = Limits {
            request_bytes: within("limits.request_bytes", raw.request_bytes, 4096, 1 << 22)?,
            connections: within("limits.connections", raw.connections, 1, 1 << 20)?,
            in_flight_per_connection: within(
                "limits.in_flight_per_connection",
                raw.in_flight_per_connection,
                1,
                1 << 16,
            )?,
            denials_per_second: within("limits.denials_per_second", raw.denials_per_second, 1, 1 << 20)?,
            handshake: Duration::from_secs(within("limits.handshake_seconds", raw.handshake_seconds, 1, 600)?),
            requests_per_connection: NonZeroU32::new(raw.requests_per_second_per_connection),
            requests_per_principal: NonZeroU32::new(raw.requests_per_second_per_principal),
            requests_per_organization: NonZeroU32::new(raw.requests_per_second_per_organization),
            keys_per_organization: raw.keys_per_organization,
            keys_per_owner: raw.keys_per_owner,
            denial_bytes: match raw.denial_bytes_per_day {
                None => DenialBytes::Share,
                Some(0) => DenialBytes::Unlimited,
                Some(bytes) => DenialBytes::Bytes(log_share("limits.denial_bytes_per_day", bytes)?),
            },
            log_bytes: match raw.log_bytes_per_day {
                0 => None,
                bytes => Some(log_share("limits.log_bytes_per_day", bytes)?),
            },
        };
        let bootstrap = (self.bootstrap.organizations.into_iter().enumerate())
            .map(|(at, organization)| organization.check(at, &absolute))
            .collect::<Result<_, _>>()?;
        Ok(Configuration {
            origin: service.origin,
            listen,
            mirror,
            server_names: service.server_names,
            data: absolute(service.data),
            audit: absolute(service.audit),
            audit_vkey: absolute(service.audit_vkey),
            policies: absolute(service.policies),
            log,
            token,
            keys: self.keys.check()?,
            pkcs11: self.pkcs11.check()?,
            officers: self.officers.check()?,
            limits,
            witnesses: self.witnesses.policy.map(absolute),
            bootstrap,
        })
    }
}

impl RawOrganization {
    fn check(self, at: usize, absolute: &dyn Fn(PathBuf) -> PathBuf) -> Result<BootstrapOrganization, ConfigError> {
        let field = |name: &str| format!("bootstrap.organizations[{at}].{name}");
        let role =
            |name: &str, text: &str| text.parse::<Role>().map_err(|error| invalid(&field(name), error.to_string()));
        let name = OrganizationName::from_id(&self.id).map_err(|error| invalid(&field("id"), error.to_string()))?;
        let enrolling_roles =
            self.enrolling_roles.iter().map(|text| role("enrolling_roles", text)).collect::<Result<_, _>>()?;
        let anchors = (self.anchors.into_iter())
            .map(|anchor| {
                let lists = [(Role::Peer, anchor.peer), (Role::Orderer, anchor.orderer), (Role::Client, anchor.client)];
                let patterns = (lists.into_iter())
                    .flat_map(|(role, patterns)| patterns.into_iter().map(move |pattern| NamePattern { role, pattern }))
                    .collect();
                BootstrapAnchor { certificate: absolute(anchor.certificate), patterns }
            })
            .collect();
        let principals = (self.principals.into_iter())
            .map(|principal| {
                let role = role("principals.role", &principal.role)?;
                Ok(BootstrapPrincipal { role, certificate: absolute(principal.certificate) })
            })
            .collect::<Result<_, ConfigError>>()?;
        Ok(BootstrapOrganization { name, enrolling_roles, anchors, principals })
    }
}
