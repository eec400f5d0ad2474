//! Recovery ids: which of the points with the same r a signature was made with (SEC 1 §4.1.6).
//!
//! The public key is known here, so nothing is tried: the point is computed from the signature as verification does, and
//! its id read off.

use super::public_key::leftmost;
use chancery_model::Algorithm;

/// Whether y is odd (bit 0) and whether x was reduced by the group's order (bit 1), of the point R of r ‖ s over
/// `digest` under the key `04 ‖ x ‖ y`. `None` when it is no signature of that, or the curve is neither secp256k1 nor
/// P-256.
pub(crate) fn recovery_id(algorithm: Algorithm, point: &[u8], digest: &[u8], signature: &[u8]) -> Option<u8> {
    macro_rules! on_curve {
        ($curve:ident) => {{
            use $curve::{
                FieldBytes, ProjectivePoint, PublicKey, Scalar,
                ecdsa::{RecoveryId, Signature},
                elliptic_curve::{
                    Group, PrimeField,
                    ops::{LinearCombination, Reduce},
                    point::AffineCoordinates,
                },
            };
            let key = PublicKey::from_sec1_bytes(point).ok()?;
            let (r, s) = Signature::from_slice(signature).ok()?.split_scalars();
            let digest = FieldBytes::try_from(leftmost(digest, 32).as_slice()).ok()?;
            let z = <Scalar as Reduce<FieldBytes>>::reduce(&digest);
            let inverse = (*s).invert().into_option()?;
            let terms = [(ProjectivePoint::generator(), z * inverse), (key.to_projective(), *r * inverse)];
            let found = ProjectivePoint::lincomb_vartime(&terms);
            if bool::from(found.is_identity()) {
                return None;
            }
            let found = found.to_affine();
            let x = found.x();
            if <Scalar as Reduce<FieldBytes>>::reduce(&x) != *r {
                return None;
            }
            Some(RecoveryId::new(found.y_is_odd().into(), x != r.to_repr()).to_byte())
        }};
    }
    match algorithm {
        Algorithm::EcSecp256k1 => on_curve!(k256),
        Algorithm::EcP256 => on_curve!(p256),
        _ => None,
    }
}
