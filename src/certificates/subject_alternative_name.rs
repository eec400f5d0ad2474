//! Subject alternative names (RFC 5280 §4.2.1.6): DNS names and IP addresses, and no other kind.

use super::{CertificateError, error::quoted};
use der::asn1::Ia5String;
use rustls_pki_types::DnsName;
use std::{fmt, net::IpAddr, str::FromStr};
use x509_cert::ext::pkix::name::GeneralName;

/// Another name of a certificate's holder. As text, `dns:NAME` or `ip:ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectAlternativeName {
    /// A host name: no wildcard, no trailing dot.
    Dns(String),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
}

fn rejected(why: String) -> CertificateError {
    CertificateError::SubjectAlternativeName(why)
}

impl SubjectAlternativeName {
    fn dns(name: &str) -> Result<Self, CertificateError> {
        match DnsName::try_from(name) {
            Ok(_) if !name.ends_with('.') => Ok(Self::Dns(name.to_owned())),
            _ => Err(rejected(format!("{} is no host name (RFC 1123 §2.1)", quoted(name)))),
        }
    }

    pub(super) fn from_general_name(name: &GeneralName) -> Result<Self, CertificateError> {
        let kind = match name {
            GeneralName::DnsName(name) => return Self::dns(name.as_str()),
            GeneralName::IpAddress(octets) => {
                let octets = octets.as_bytes();
                let address = <[u8; 4]>::try_from(octets).map(IpAddr::from);
                let address = address.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
                let length = octets.len();
                return address.map(Self::Ip).map_err(|_| rejected(format!("an IP address of {length} bytes")));
            }
            GeneralName::OtherName(_) => "an otherName",
            GeneralName::Rfc822Name(_) => "an e-mail address",
            GeneralName::DirectoryName(_) => "a directory name",
            GeneralName::EdiPartyName(_) => "an EDI party name",
            GeneralName::UniformResourceIdentifier(_) => "a URI",
            GeneralName::RegisteredId(_) => "a registered id",
        };
        Err(rejected(format!("the request asks for {kind}; only DNS names and IP addresses are issued")))
    }

    pub(super) fn to_general_name(&self) -> Result<GeneralName, CertificateError> {
        match self {
            Self::Dns(name) => Ia5String::new(name).map(GeneralName::DnsName).map_err(CertificateError::Encoding),
            Self::Ip(address) => Ok(GeneralName::from(*address)),
        }
    }
}

impl FromStr for SubjectAlternativeName {
    type Err = CertificateError;

    fn from_str(text: &str) -> Result<Self, CertificateError> {
        if let Some(name) = text.strip_prefix("dns:") {
            Self::dns(name)
        } else if let Some(address) = text.strip_prefix("ip:") {
            address.parse().map(Self::Ip).map_err(|_| rejected(format!("{} is no IP address", quoted(address))))
        } else {
            Err(rejected(format!("{} is neither dns:NAME nor ip:ADDRESS", quoted(text))))
        }
    }
}

impl fmt::Display for SubjectAlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
        }
    }
}
