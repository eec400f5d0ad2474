//! Results of any length (PKCS#11 v3.0 §5.2): a client asks for the length with a null pointer, or brings a buffer.

use super::pointer::{read, size};
use crate::{
    output::{Output, Room},
    rv::{Result, Rv},
};
use cryptoki_sys::{CK_ULONG, CKR_BUFFER_TOO_SMALL};

/// A client's buffer with the place of its length.
pub(super) struct Buffer<T> {
    elements: *mut T,
    length: *mut CK_ULONG,
    room: Room,
}

impl<T: Copy> Buffer<T> {
    /// # Safety
    /// See [`super`].
    ///
    /// # Errors
    /// `CKR_ARGUMENTS_BAD` without a place for the length, or with one that no buffer has.
    pub(super) unsafe fn new(elements: *mut T, length: *mut CK_ULONG) -> Result<Self> {
        // SAFETY: the caller's promise.
        let has = unsafe { read(length) }?;
        let room = if elements.is_null() {
            Room::Ask
        } else {
            size(has.saturating_mul(size_of::<T>() as CK_ULONG))?;
            Room::Bytes(size(has)?)
        };
        Ok(Self { elements, length, room })
    }

    /// Puts a list, or how long it is.
    ///
    /// # Errors
    /// `CKR_BUFFER_TOO_SMALL`, with the length needed.
    pub(super) fn put(self, list: &[T]) -> Result<()> {
        self.put_length(list.len());
        match self.room {
            Room::Ask => Ok(()),
            room if !room.fits(list.len()) => Err(Rv(CKR_BUFFER_TOO_SMALL)),
            Room::Bytes(_) => {
                for (at, element) in list.iter().enumerate() {
                    // SAFETY: the promise given to `new`: so many elements fit.
                    unsafe { self.elements.add(at).write_unaligned(*element) };
                }
                Ok(())
            }
        }
    }

    fn put_length(&self, length: usize) {
        // SAFETY: the promise given to `new`.
        unsafe { self.length.write_unaligned(length as CK_ULONG) };
    }
}

impl Buffer<u8> {
    /// Puts what `work` gives for the room that there is, or the length that it needs.
    ///
    /// # Errors
    /// `CKR_BUFFER_TOO_SMALL`, with the length needed; those of `work`.
    pub(super) fn fill(self, work: impl FnOnce(Room) -> Result<Output>) -> Result<()> {
        match work(self.room)? {
            Output::Bytes(bytes) => self.put(&bytes),
            Output::Needs(length) => {
                self.put_length(length);
                if self.room == Room::Ask { Ok(()) } else { Err(Rv(CKR_BUFFER_TOO_SMALL)) }
            }
        }
    }
}
