//! Distinguished names: their RFC 4514 text, and the parts of them that matter here.

use super::{CertificateError, error::quoted};
use const_oid::{
    ObjectIdentifier,
    db::rfc4519::{COMMON_NAME, COUNTRY_NAME, LOCALITY_NAME, ORGANIZATION_NAME, ORGANIZATIONAL_UNIT_NAME, ST},
};
use der::{Any, Decode, Encode, Tag, asn1::SetOfVec};
use x509_cert::{
    attr::AttributeTypeAndValue,
    ext::pkix::name::DirectoryString,
    name::{Name, RdnSequence, RelativeDistinguishedName},
};

/// The parts of a distinguished name that mean something here, in the order they have there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// CN.
    pub common_names: Vec<String>,
    /// O.
    pub organizations: Vec<String>,
    /// OU.
    pub organizational_units: Vec<String>,
}

impl Subject {
    /// Reads a name, whatever string type each part has; parts of multi-valued RDNs count like others.
    ///
    /// # Errors
    /// [`CertificateError::Subject`] when a part is no string.
    pub fn of(name: &Name) -> Result<Self, CertificateError> {
        let texts = |wanted: ObjectIdentifier| {
            (name.iter().filter(|part| part.oid == wanted))
                .map(|part| DirectoryString::try_from(&part.value).map(|text| text.value().into_owned()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| CertificateError::Subject(format!("attribute {wanted} is no text: {error}")))
        };
        Ok(Self {
            common_names: texts(COMMON_NAME)?,
            organizations: texts(ORGANIZATION_NAME)?,
            organizational_units: texts(ORGANIZATIONAL_UNIT_NAME)?,
        })
    }

    /// The common name, of which there must be one, of at most 64 characters (RFC 5280 appendix A.1).
    ///
    /// # Errors
    /// [`CertificateError::Subject`] when there is none, or there are several, or it is longer.
    pub fn common_name(&self) -> Result<&str, CertificateError> {
        match self.common_names.as_slice() {
            [one] if one.chars().nth(64).is_some() => {
                Err(CertificateError::Subject("the common name is longer than 64 characters".into()))
            }
            [one] => Ok(one),
            [] => Err(CertificateError::Subject("no common name; name the holder, e.g. CN=peer0".into())),
            many => Err(CertificateError::Subject(format!("{} common names; give exactly one", many.len()))),
        }
    }
}

/// An attribute that a name may have: its keyword (RFC 4514 §3), its object identifier, and the most characters it may
/// have (RFC 5280 appendix A.1).
struct Attribute(&'static str, ObjectIdentifier, usize);

const ATTRIBUTES: [Attribute; 6] = [
    Attribute("CN", COMMON_NAME, 64),
    Attribute("OU", ORGANIZATIONAL_UNIT_NAME, 64),
    Attribute("O", ORGANIZATION_NAME, 64),
    Attribute("L", LOCALITY_NAME, 128),
    Attribute("ST", ST, 128),
    Attribute("C", COUNTRY_NAME, 2),
];

/// Parses RFC 4514 text, e.g. `CN=peer0,OU=peer,O=Org1`; spaces around commas and equals signs are dropped.
pub(super) fn parse(text: &str) -> Result<Name, CertificateError> {
    let mut parts = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (keyword, after) = text.split_once('=').ok_or_else(|| {
            CertificateError::Subject(format!("{} has no `=`; write it as CN=peer0,OU=peer,O=Org1", quoted(text)))
        })?;
        let keyword = keyword.trim_matches(' ');
        let attribute = ATTRIBUTES.iter().find(|one| one.0.eq_ignore_ascii_case(keyword)).ok_or_else(|| {
            let offered = ATTRIBUTES.map(|one| one.0).join(", ");
            CertificateError::Subject(format!("attribute {} is none of {offered}", quoted(keyword)))
        })?;
        let (value, remaining) = value(after)?;
        parts.push(attribute.with(value)?);
        rest = remaining;
    }
    // RFC 4514 §2.1: the text begins with the last RDN.
    parts.reverse();
    name(parts)
}

/// A name of single-valued RDNs, the most general first.
pub(super) fn from_parts(organization: Option<&str>, unit: &str, common_name: &str) -> Result<Name, CertificateError> {
    let [cn, ou, o, ..] = &ATTRIBUTES;
    let mut parts = Vec::new();
    if let Some(organization) = organization {
        parts.push(o.with(organization.to_owned())?);
    }
    parts.push(ou.with(unit.to_owned())?);
    parts.push(cn.with(common_name.to_owned())?);
    name(parts)
}

fn name(parts: Vec<AttributeTypeAndValue>) -> Result<Name, CertificateError> {
    let rdns = (parts.into_iter())
        .map(|part| SetOfVec::try_from(vec![part]).map(RelativeDistinguishedName::from))
        .collect::<Result<Vec<_>, _>>()
        .map_err(CertificateError::Encoding)?;
    let encoded = RdnSequence::from(rdns).to_der().map_err(CertificateError::Encoding)?;
    Name::from_der(&encoded).map_err(CertificateError::Encoding)
}

impl Attribute {
    fn with(&self, value: String) -> Result<AttributeTypeAndValue, CertificateError> {
        let Self(keyword, oid, maximum) = self;
        let characters = value.chars().count();
        if characters == 0 || characters > *maximum {
            return Err(CertificateError::Subject(format!(
                "{keyword} has {characters} characters; it may have 1 to {maximum}"
            )));
        }
        if value.chars().any(char::is_control) {
            return Err(CertificateError::Subject(format!("{keyword} holds a control character")));
        }
        let tag = if *oid == COUNTRY_NAME {
            if value.len() != 2 || !value.bytes().all(|c| c.is_ascii_uppercase()) {
                return Err(CertificateError::Subject("C is a country's two capital letters (ISO 3166)".into()));
            }
            Tag::PrintableString
        } else {
            Tag::Utf8String
        };
        let value = Any::new(tag, value.into_bytes()).map_err(CertificateError::Encoding)?;
        Ok(AttributeTypeAndValue { oid: *oid, value })
    }
}

/// The value at the beginning of `text`, unescaped (RFC 4514 §2.4), and what follows the comma after it, if one does.
fn value(text: &str) -> Result<(String, Option<&str>), CertificateError> {
    let text = text.trim_start_matches(' ');
    if text.starts_with('#') {
        return Err(CertificateError::Subject("values in hexadecimal BER (#…) are not supported".into()));
    }
    let bytes = text.as_bytes();
    let mut value = Vec::new();
    // Unescaped spaces at the end are no part of the value.
    let mut kept = 0;
    let mut at = 0;
    let rest = loop {
        match bytes.get(at) {
            None => break None,
            Some(b',') => break Some(&text[at + 1..]),
            Some(b'\\') => {
                let (byte, length) = escaped(&bytes[at + 1..])?;
                value.push(byte);
                kept = value.len();
                at += 1 + length;
            }
            Some(b'+') => {
                return Err(CertificateError::Subject("several attributes in one RDN (`+`) are not supported".into()));
            }
            Some(c @ (b'"' | b';' | b'<' | b'>')) => {
                let c = char::from(*c);
                return Err(CertificateError::Subject(format!("`{c}` within a value is written `\\{c}` (RFC 4514)")));
            }
            Some(byte) => {
                value.push(*byte);
                if *byte != b' ' {
                    kept = value.len();
                }
                at += 1;
            }
        }
    };
    value.truncate(kept);
    let value = String::from_utf8(value).map_err(|_| CertificateError::Subject("a value is not UTF-8".into()))?;
    Ok((value, rest))
}

/// The byte that the text after a backslash stands for, and how many bytes say so.
fn escaped(after: &[u8]) -> Result<(u8, usize), CertificateError> {
    match after {
        [c @ (b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\'), ..] => Ok((*c, 1)),
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let digit = |c: u8| char::from(c).to_digit(16).unwrap_or_default() as u8;
            Ok((digit(*high) << 4 | digit(*low), 2))
        }
        _ => Err(CertificateError::Subject(
            "a backslash is followed by a special character or two hexadecimal digits (RFC 4514 §2.4)".into(),
        )),
    }
}
