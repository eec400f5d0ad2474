//! A backup's secret in shares: k of n of them give it back (Shamir), and each proves that it is one of them (Feldman's
//! commitments, over P-256).
//!
//! **Invariants**
//! * Fewer shares than the threshold tell nothing of the secret beyond its commitment, the point secret·G: the secret is
//!   a random scalar, so that point gives it away no more than a public key does its private key.
//! * Each share is verified against the commitments before it is used, so a wrong one is named.
//! * Secret, shares and polynomial are wiped when dropped.
//!
//! **Not here**: who the custodians are ([`crate::backup`]), sealing shares to them ([`crate::envelope`]).

use std::fmt;

use hpke::rand_core::UnwrapErr;
use p256::elliptic_curve::group::GroupEncoding as _;
use p256::elliptic_curve::{Field as _, Group as _, PrimeField as _};
use p256::{FieldBytes, ProjectivePoint, Scalar};
use thiserror::Error;
use vsss_rs::{
    DefaultShare, Feldman, FeldmanVerifierSet as _, IdentifierPrimeField, Polynomial, ReadableShareSet as _, Shamir,
    ValueGroup, VecFeldmanVerifierSet,
};
use zeroize::{Zeroize, Zeroizing};

/// The most custodians of a backup, and so the largest threshold.
pub const MAX_SHARES: usize = 16;

/// The length of a share: its number, and a scalar.
pub const SHARE_LENGTH: usize = 33;

/// The length of a commitment: a compressed point (SEC 1 §2.3.3).
pub const COMMITMENT_LENGTH: usize = 33;

type RawShare = DefaultShare<IdentifierPrimeField<Scalar>, IdentifierPrimeField<Scalar>>;
type Commitment = ValueGroup<ProjectivePoint>;
type Verifiers = VecFeldmanVerifierSet<RawShare, Commitment>;

/// Why shares are none, or don't make a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SharesError {
    /// Threshold and number of shares don't fit together.
    #[error(
        "{threshold} of {count} shares cannot be: 1 to {MAX_SHARES} shares, and a threshold from 1 to their number"
    )]
    Threshold {
        /// How many shares should restore.
        threshold: usize,
        /// How many shares there should be.
        count: usize,
    },
    /// The bytes are no share: a number from 1 and a scalar below the curve's order.
    #[error("not a share: a share is a number from 1 to {MAX_SHARES} and a scalar of 32 bytes")]
    Form,
    /// The bytes are no commitments.
    #[error("not a list of commitments: each is a point of P-256, compressed, and not the neutral one")]
    Commitments,
    /// Too few.
    #[error("{given} shares are too few: {needed} are needed")]
    TooFew {
        /// How many different ones there are.
        given: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A share came twice.
    #[error("share {number} is there twice")]
    Twice {
        /// Its number.
        number: u8,
    },
    /// A share is not one of these commitments'.
    #[error("share {number} does not belong to the others: it is another backup's, or was changed")]
    Wrong {
        /// Its number.
        number: u8,
    },
}

/// What is shared: a scalar of P-256 that is not zero.
pub struct Secret(Zeroizing<Scalar>);

impl Secret {
    /// A fresh one from the system's randomness.
    ///
    /// # Panics
    /// If the system has no randomness.
    pub fn generate() -> Self {
        loop {
            let scalar = Zeroizing::new(Scalar::random(&mut system_randomness()));
            if !bool::from(scalar.is_zero()) {
                return Self(scalar);
            }
        }
    }

    /// The scalar, big endian: keying material, no key.
    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_repr().into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One custodian's piece of a [`Secret`]. Wiped when dropped.
pub struct Share(Zeroizing<RawShare>, u8);

impl Share {
    /// Counted from 1, in the order of the custodians.
    pub fn number(&self) -> u8 {
        self.1
    }

    /// The number, then the scalar, big endian.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SHARE_LENGTH]> {
        let mut bytes = Zeroizing::new([0; SHARE_LENGTH]);
        bytes[0] = self.1;
        bytes[1..].copy_from_slice(&Zeroizing::new(<[u8; 32]>::from(self.0.value.to_repr()))[..]);
        bytes
    }

    /// Reads what [`Share::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SharesError> {
        let bytes: &[u8; SHARE_LENGTH] = bytes.try_into().map_err(|_| SharesError::Form)?;
        let (number, scalar) = (bytes[0], &bytes[1..]);
        if number == 0 || usize::from(number) > MAX_SHARES {
            return Err(SharesError::Form);
        }
        let mut repr = FieldBytes::default();
        repr.copy_from_slice(scalar);
        let scalar = Option::<Scalar>::from(Scalar::from_repr(repr));
        repr.zeroize();
        Ok(Self::new(number, scalar.ok_or(SharesError::Form)?))
    }

    fn new(number: u8, value: Scalar) -> Self {
        let identifier = IdentifierPrimeField(Scalar::from(u64::from(number)));
        Self(Zeroizing::new(RawShare { identifier, value: IdentifierPrimeField(value) }), number)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({}, …)", self.1)
    }
}

/// Commitments to the polynomial's coefficients: as many as the threshold, the first of them to the secret. Public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitments(Vec<ProjectivePoint>);

impl Commitments {
    /// How many shares it takes.
    pub fn threshold(&self) -> usize {
        self.0.len()
    }

    /// Each as a compressed point.
    pub fn to_bytes(&self) -> Vec<[u8; COMMITMENT_LENGTH]> {
        self.0.iter().map(|point| point.to_bytes().into()).collect()
    }

    /// Reads what [`Commitments::to_bytes`] wrote.
    pub fn from_bytes<'a>(points: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, SharesError> {
        let point = |bytes: &[u8]| {
            let bytes = <[u8; COMMITMENT_LENGTH]>::try_from(bytes).ok()?;
            let point = Option::<ProjectivePoint>::from(ProjectivePoint::from_bytes(&bytes.into()))?;
            (!bool::from(point.is_identity())).then_some(point)
        };
        let points: Option<Vec<_>> = points.into_iter().take(MAX_SHARES + 1).map(point).collect();
        match points {
            Some(points) if (1..=MAX_SHARES).contains(&points.len()) => Ok(Self(points)),
            _ => Err(SharesError::Commitments),
        }
    }

    /// Whether a share is one of those that the commitments are of.
    pub fn verify(&self, share: &Share) -> Result<(), SharesError> {
        let points: Vec<_> = self.0.iter().copied().map(ValueGroup).collect();
        let set = Verifiers::feldman_set_with_generator_and_verifiers(ValueGroup(ProjectivePoint::GENERATOR), &points);
        let verified = set.verify_share(&share.0);
        verified.map_err(|_| SharesError::Wrong { number: share.number() })
    }
}

/// Cuts a secret into `count` shares of which `threshold` give it back.
pub fn split(secret: &Secret, threshold: usize, count: usize) -> Result<(Vec<Share>, Commitments), SharesError> {
    if count > MAX_SHARES || threshold == 0 || threshold > count {
        return Err(SharesError::Threshold { threshold, count });
    }
    if threshold == 1 {
        // A polynomial of degree 0, which the library does not make: each share is the secret.
        let shares = (1..=count as u8).map(|number| Share::new(number, *secret.0)).collect();
        return Ok((shares, Commitments(vec![ProjectivePoint::GENERATOR * *secret.0])));
    }
    let intercept = Zeroizing::new(IdentifierPrimeField(*secret.0));
    let (raw, verifiers) = Scheme::split_secret_with_verifier(threshold, count, &intercept, None, system_randomness())
        .map_err(|_| SharesError::Threshold { threshold, count })?;
    let raw = Zeroizing::new(raw);
    let shares = (1..).zip(raw.iter()).map(|(number, share)| Share::new(number, share.value.0)).collect();
    Ok((shares, Commitments(verifiers.verifiers().iter().map(|point| point.0).collect())))
}

/// Puts the secret together from at least `threshold` shares, each of which must verify, whether it is needed or not.
pub fn combine(commitments: &Commitments, shares: &[Share]) -> Result<Secret, SharesError> {
    for (at, share) in shares.iter().enumerate() {
        commitments.verify(share)?;
        if shares[..at].iter().any(|other| other.number() == share.number()) {
            return Err(SharesError::Twice { number: share.number() });
        }
    }
    let needed = commitments.threshold();
    let used = shares.get(..needed).ok_or(SharesError::TooFew { given: shares.len(), needed })?;
    let secret = match used {
        [only] => Zeroizing::new(only.0.value.0),
        _ => {
            let raw: Zeroizing<Vec<RawShare>> = Zeroizing::new(used.iter().map(|share| *share.0).collect());
            let combined = raw.combine().map_err(|_| SharesError::TooFew { given: shares.len(), needed })?;
            Zeroizing::new(combined.0)
        }
    };
    Ok(Secret(secret))
}

fn system_randomness() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

/// Feldman's scheme over a polynomial that is wiped.
struct Scheme;

impl Shamir<RawShare> for Scheme {
    type InnerPolynomial = Coefficients;
    type ShareSet = Vec<RawShare>;
}

impl Feldman<RawShare, Commitment> for Scheme {
    type VerifierSet = Verifiers;
}

/// The polynomial's coefficients: the library's own storage leaves them in memory.
struct Coefficients(Zeroizing<Vec<RawShare>>);

impl Polynomial<RawShare> for Coefficients {
    fn create(size: usize) -> Self {
        Self(Zeroizing::new(vec![RawShare::default(); size]))
    }

    fn coefficients(&self) -> &[RawShare] {
        &self.0
    }

    fn coefficients_mut(&mut self) -> &mut [RawShare] {
        &mut self.0
    }
}
