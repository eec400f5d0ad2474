//! Certificate revocation lists (RFC 5280 §5), as far as they are taken here: whole, direct and numbered.

#[cfg(test)]
mod tests;

use super::{CertificateError, PublicKey, Signed, der_or_pem::der_or_pem, error::quoted};
use const_oid::{
    ObjectIdentifier,
    db::rfc5280::{
        ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CERTIFICATE_ISSUER, ID_CE_CRL_NUMBER, ID_CE_DELTA_CRL_INDICATOR,
        ID_CE_ISSUING_DISTRIBUTION_POINT,
    },
};
use der::Decode;
use std::{borrow::Cow, cmp::Ordering, collections::HashSet, fmt};
use x509_cert::{
    Version,
    crl::{RevokedCert, TbsCertList},
    ext::{Extension, pkix::CrlNumber},
    name::Name,
    serial_number::SerialNumber,
};

/// The longest list that is taken, in bytes of DER.
pub const MAXIMUM_LIST_SIZE: usize = 512 << 10;
const WHAT: &str = "certificate revocation list";
/// RFC 5280 §5.2.3, in bytes.
const LONGEST_NUMBER: usize = 20;

/// A list whose form was checked; its signature is checked by [`CertificateList::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateList {
    issuer: Name,
    number: ListNumber,
    this_update: u64,
    next_update: u64,
    /// Serial numbers as in certificates, whatever the reason for each: what is on hold is not let in either.
    serials: HashSet<Box<[u8]>>,
}

/// A list's number: grows with each list of an issuer (RFC 5280 §5.2.3). Shown in decimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListNumber(Vec<u8>);

/// The DER of a list that was given as DER or PEM.
///
/// # Errors
/// [`CertificateError::TooLarge`] or [`CertificateError::Malformed`].
pub fn list_der(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CertificateError> {
    // PEM takes four bytes for three, and line ends.
    let der = der_or_pem(bytes, MAXIMUM_LIST_SIZE / 2 * 3, WHAT, &["X509 CRL"])?;
    match der.len() {
        given if given > MAXIMUM_LIST_SIZE => Err(CertificateError::TooLarge { given, maximum: MAXIMUM_LIST_SIZE }),
        _ => Ok(der),
    }
}

impl CertificateList {
    /// From DER.
    ///
    /// # Errors
    /// [`CertificateError`]: it does not parse, speaks of some certificates only, adds to another list, or has no
    /// number or no next update, which RFC 5280 §5.1.2.5 and §5.2.3 demand.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAXIMUM_LIST_SIZE {
            return Err(CertificateError::TooLarge { given: der.len(), maximum: MAXIMUM_LIST_SIZE });
        }
        let unread = CertificateError::malformed(WHAT);
        let signed = Signed::from_der(der).map_err(&unread)?;
        let to_be_signed = signed.to_be_signed().map_err(&unread)?;
        let list: TbsCertList = TbsCertList::from_der(&to_be_signed).map_err(&unread)?;
        if list.version != Version::V2 {
            return Err(malformed("it is not of version 2 (RFC 5280 §5.1.2.1); have it made with extensions"));
        }
        if list.signature != *signed.algorithm() {
            return Err(malformed("it names two signature algorithms"));
        }
        let number = number(list.crl_extensions.as_deref().unwrap_or_default())?;
        let this_update = list.this_update.to_unix_duration().as_secs();
        let next_update = list.next_update.map(|time| time.to_unix_duration().as_secs());
        let next_update = next_update.ok_or_else(|| {
            malformed("it does not say when the next one is due (nextUpdate); have it made with that")
        })?;
        if next_update <= this_update {
            return Err(malformed("its next update is not after its own time"));
        }
        let entries = list.revoked_certificates.unwrap_or_default();
        entries.iter().try_for_each(require_direct)?;
        let serials = entries.iter().map(|entry| entry.serial_number.as_bytes().into()).collect();
        Ok(Self { issuer: list.issuer, number, this_update, next_update, serials })
    }

    /// Whether `key` signed the list of this DER.
    ///
    /// # Errors
    /// [`CertificateError::UnsupportedSignature`] or [`CertificateError::BadSignature`].
    pub fn verify(der: &[u8], key: &PublicKey) -> Result<(), CertificateError> {
        let unread = CertificateError::malformed(WHAT);
        let signed = Signed::from_der(der).map_err(&unread)?;
        let to_be_signed = signed.to_be_signed().map_err(&unread)?;
        key.verify(signed.algorithm(), &to_be_signed, signed.signature().map_err(&unread)?)
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Its number.
    pub fn number(&self) -> &ListNumber {
        &self.number
    }

    /// When it was made, in seconds since the Unix epoch.
    pub fn this_update(&self) -> u64 {
        self.this_update
    }

    /// When the next one is there at the latest, in seconds since the Unix epoch.
    pub fn next_update(&self) -> u64 {
        self.next_update
    }

    /// How many certificates it revokes.
    pub fn entries(&self) -> usize {
        self.serials.len()
    }

    /// Whether it revokes the issuer's certificate of this serial number.
    pub fn revokes(&self, serial: &SerialNumber) -> bool {
        self.serials.contains(serial.as_bytes())
    }
}

/// The list's number, if nothing else in its extensions (RFC 5280 §5.2) limits what it says.
fn number(extensions: &[Extension]) -> Result<ListNumber, CertificateError> {
    let mut seen: Vec<ObjectIdentifier> = Vec::with_capacity(extensions.len());
    let mut number = None;
    for extension in extensions {
        let oid = extension.extn_id;
        if seen.contains(&oid) {
            return Err(malformed(&format!("extension {oid} stands there twice")));
        }
        seen.push(oid);
        match oid {
            ID_CE_CRL_NUMBER => {
                let read = CrlNumber::from_der(extension.extn_value.as_bytes());
                number = Some(ListNumber::new(read.map_err(CertificateError::malformed("CRL number"))?.0.as_bytes())?);
            }
            ID_CE_DELTA_CRL_INDICATOR => {
                return Err(malformed("it is a delta, which adds to another list; give the whole list"));
            }
            ID_CE_ISSUING_DISTRIBUTION_POINT => {
                return Err(malformed(
                    "it is indirect or speaks of some certificates only (issuingDistributionPoint); give the issuer's \
                     own whole list",
                ));
            }
            ID_CE_AUTHORITY_KEY_IDENTIFIER => {}
            oid if extension.critical => {
                return Err(malformed(&format!("its critical extension {oid} is not understood here")));
            }
            _ => {}
        }
    }
    number.ok_or_else(|| malformed("it has no CRL number; have it made with one (`openssl ca` does with `crlnumber`)"))
}

/// An entry must be of the list's own issuer (RFC 5280 §5.3.3) and say nothing critical.
fn require_direct(entry: &RevokedCert) -> Result<(), CertificateError> {
    for extension in entry.crl_entry_extensions.iter().flatten() {
        match extension.extn_id {
            ID_CE_CERTIFICATE_ISSUER => {
                return Err(malformed("it is indirect: it revokes certificates of other issuers"));
            }
            oid if extension.critical => {
                return Err(malformed(&format!("an entry's critical extension {oid} is not understood here")));
            }
            _ => {}
        }
    }
    Ok(())
}

fn malformed(why: &str) -> CertificateError {
    CertificateError::Malformed { what: WHAT, why: why.to_owned() }
}

impl ListNumber {
    fn new(bytes: &[u8]) -> Result<Self, CertificateError> {
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        match &bytes[first..] {
            long if long.len() > LONGEST_NUMBER => Err(malformed("its number is longer than 20 bytes")),
            number => Ok(Self(number.to_owned())),
        }
    }
}

impl Ord for ListNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros the longer one is greater.
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ListNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ListNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut left, mut digits) = (self.0.clone(), Vec::new());
        while left.iter().any(|byte| *byte != 0) {
            let mut remainder = 0_u16;
            for byte in &mut left {
                let part = remainder << 8 | u16::from(*byte);
                (*byte, remainder) = ((part / 10) as u8, part % 10);
            }
            digits.push(char::from(b'0' + remainder as u8));
        }
        f.write_str(&match digits.is_empty() {
            true => "0".to_owned(),
            false => digits.into_iter().rev().collect(),
        })
    }
}

/// Without its thousands of serial numbers.
impl fmt::Debug for CertificateList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = quoted(&self.issuer.to_string());
        write!(f, "CertificateList {} of {issuer}, {} entries", self.number, self.entries())
    }
}
