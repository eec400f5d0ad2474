//! Return values (PKCS#11 v3.0 §5.1).

use cryptoki_sys::CK_RV;

/// Why a function failed: never `CKR_OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rv(pub CK_RV);

/// What a function of the module comes to.
pub type Result<T> = core::result::Result<T, Rv>;
