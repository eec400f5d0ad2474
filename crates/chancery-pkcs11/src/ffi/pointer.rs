//! Single values and bytes at a client's pointers.

use crate::rv::{Result, Rv};
use cryptoki_sys::{CK_ULONG, CKR_ARGUMENTS_BAD};

/// Where one value is to be written.
pub(super) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// # Safety
    /// See [`super`].
    ///
    /// # Errors
    /// `CKR_ARGUMENTS_BAD` for a null pointer.
    pub(super) unsafe fn new(pointer: *mut T) -> Result<Self> {
        if pointer.is_null() { Err(Rv(CKR_ARGUMENTS_BAD)) } else { Ok(Self(pointer)) }
    }

    pub(super) fn put(self, value: T) {
        // SAFETY: the promise given to `new`.
        unsafe { self.0.write_unaligned(value) };
    }
}

/// Reads one value.
///
/// # Safety
/// See [`super`].
///
/// # Errors
/// `CKR_ARGUMENTS_BAD` for a null pointer.
pub(super) unsafe fn read<T: Copy>(pointer: *const T) -> Result<T> {
    if pointer.is_null() {
        return Err(Rv(CKR_ARGUMENTS_BAD));
    }
    // SAFETY: the caller's promise.
    Ok(unsafe { pointer.read_unaligned() })
}

/// Bytes that a client brings; a null pointer is as good as any where there are none.
///
/// # Safety
/// See [`super`]; the caller chooses a lifetime that ends with the call.
///
/// # Errors
/// `CKR_ARGUMENTS_BAD` for a null pointer to something, or a length that nothing in memory has.
pub(super) unsafe fn bytes<'a>(pointer: *const u8, length: CK_ULONG) -> Result<&'a [u8]> {
    let length = size(length)?;
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(Rv(CKR_ARGUMENTS_BAD));
    }
    // SAFETY: the caller's promise; the length is one that an allocation can have.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// No process has more memory in one place than this: well below `isize::MAX`, from which on a slice must not be made.
const LONGEST: usize = 1 << 46;

/// A length that something in memory may have.
///
/// # Errors
/// `CKR_ARGUMENTS_BAD` for any other.
pub(super) fn size(length: CK_ULONG) -> Result<usize> {
    usize::try_from(length).ok().filter(|length| *length <= LONGEST).ok_or(Rv(CKR_ARGUMENTS_BAD))
}
