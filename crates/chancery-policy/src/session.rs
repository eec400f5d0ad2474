//! How a request reached the service.

use std::{fmt, net::IpAddr};

/// When a request came, from where, and how its client logged in: `context.session` of every action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session {
    /// Seconds since the Unix epoch. Policies see the moment.
    pub time: i64,
    /// Where the connection comes from.
    pub source_address: IpAddr,
    /// Seconds since `notBefore` of the client's certificate.
    pub certificate_age: i64,
    /// Whether the client says that it is the PKCS#11 module. Nobody vouches for it.
    pub shim: bool,
}

/// An attribute of a [`Session`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    Time,
    SourceAddress,
    CertificateAge,
    Shim,
}

impl Attribute {
    pub(super) const ALL: [Self; 4] = [Self::Time, Self::SourceAddress, Self::CertificateAge, Self::Shim];

    /// As the schema names it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::SourceAddress => "sourceAddress",
            Self::CertificateAge => "certificateAge",
            Self::Shim => "shim",
        }
    }

    /// What its text looks like.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Time | Self::CertificateAge => "a number of seconds",
            Self::SourceAddress => "an IP address",
            Self::Shim => "true or false",
        }
        .to_owned()
    }

    /// As records and explanations name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Time => "session.time",
            Self::SourceAddress => "session.sourceAddress",
            Self::CertificateAge => "session.certificateAge",
            Self::Shim => "session.shim",
        }
    }
}

/// Seconds since the Unix epoch, as a number or by the moment (RFC 3339).
fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| Some(text.parse::<jiff::Timestamp>().ok()?.as_second()))
}

impl Session {
    /// The moment, as policies are told it; nothing for one that no calendar has, which they can't be told.
    pub(super) fn rfc3339(&self) -> String {
        jiff::Timestamp::from_second(self.time).map(|time| time.to_string()).unwrap_or_default()
    }

    /// An attribute as text.
    pub(super) fn text(&self, attribute: Attribute) -> String {
        match attribute {
            Attribute::Time => self.time.to_string(),
            Attribute::SourceAddress => self.source_address.to_string(),
            Attribute::CertificateAge => self.certificate_age.to_string(),
            Attribute::Shim => self.shim.to_string(),
        }
    }

    /// With an attribute from its text; `None` when that is none of its kind.
    pub(super) fn with(self, attribute: Attribute, text: &str) -> Option<Self> {
        Some(match attribute {
            Attribute::Time => Self { time: seconds(text)?, ..self },
            Attribute::SourceAddress => Self { source_address: text.parse().ok()?, ..self },
            Attribute::CertificateAge => Self { certificate_age: text.parse().ok()?, ..self },
            Attribute::Shim => Self { shim: text.parse().ok()?, ..self },
        })
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
