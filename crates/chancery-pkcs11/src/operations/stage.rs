//! One operation of a session, as its functions are called in turn (PKCS#11 v3.0 §5.2).
//!
//! **Invariant**: whatever leaves with [`Turn::Go`], and whatever an error met, is no longer in the session.
//!
//! **Not here**: what operations do.

use crate::rv::{Result, Rv};
use cryptoki_sys::{CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED};

/// Where an operation is.
#[derive(Default)]
pub(crate) enum Stage<T> {
    /// Nowhere: C_…Init comes next.
    #[default]
    Idle,
    /// Initialized.
    Begun(T),
    /// Some of its input has come.
    Parts(T),
}

/// What a function that ends an operation does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn<T> {
    /// Go on with the operation, which the session does not have any more.
    Go(T),
    /// Answer that so many bytes of room are needed; the operation stays.
    Needs(usize),
}

impl<T> Stage<T> {
    /// C_…Init.
    ///
    /// # Errors
    /// `CKR_OPERATION_ACTIVE`; the operation that is active stays so.
    pub(crate) fn begin(&mut self, operation: T) -> Result<()> {
        match self {
            Self::Idle => {
                *self = Self::Begun(operation);
                Ok(())
            }
            _ => Err(Rv(CKR_OPERATION_ACTIVE)),
        }
    }

    /// The function that takes all input at once. `lacks` tells how much room is needed where there is too little.
    ///
    /// # Errors
    /// `CKR_OPERATION_NOT_INITIALIZED`, also where a part has come (PKCS#11 v3.0 §5.13.2).
    pub(crate) fn whole(&mut self, lacks: impl FnOnce(&T) -> Option<usize>) -> Result<Turn<T>> {
        match std::mem::take(self) {
            Self::Begun(operation) => Ok(match lacks(&operation) {
                Some(length) => {
                    *self = Self::Begun(operation);
                    Turn::Needs(length)
                }
                None => Turn::Go(operation),
            }),
            _ => Err(Rv(CKR_OPERATION_NOT_INITIALIZED)),
        }
    }

    /// C_…Update.
    ///
    /// # Errors
    /// `CKR_OPERATION_NOT_INITIALIZED`, and those of `take`.
    pub(crate) fn part(&mut self, take: impl FnOnce(&mut T) -> Result<()>) -> Result<()> {
        match std::mem::take(self) {
            Self::Begun(mut operation) | Self::Parts(mut operation) => {
                take(&mut operation)?;
                *self = Self::Parts(operation);
                Ok(())
            }
            Self::Idle => Err(Rv(CKR_OPERATION_NOT_INITIALIZED)),
        }
    }

    /// C_…Final; `lacks` as for [`Stage::whole`]. Input without parts is empty.
    ///
    /// # Errors
    /// `CKR_OPERATION_NOT_INITIALIZED`.
    pub(crate) fn last(&mut self, lacks: impl FnOnce(&T) -> Option<usize>) -> Result<Turn<T>> {
        match std::mem::take(self) {
            Self::Begun(operation) | Self::Parts(operation) => Ok(match lacks(&operation) {
                Some(length) => {
                    *self = Self::Parts(operation);
                    Turn::Needs(length)
                }
                None => Turn::Go(operation),
            }),
            Self::Idle => Err(Rv(CKR_OPERATION_NOT_INITIALIZED)),
        }
    }

    /// # Errors
    /// `CKR_OPERATION_ACTIVE`.
    pub(crate) fn idle(&self) -> Result<()> {
        if matches!(self, Self::Idle) { Ok(()) } else { Err(Rv(CKR_OPERATION_ACTIVE)) }
    }

    /// Ends whatever there is (C_SessionCancel, PKCS#11 v3.0 §5.6.9).
    pub(crate) fn cancel(&mut self) {
        *self = Self::Idle;
    }

    /// What is initialized and has no input so far.
    pub(crate) fn begun(&mut self) -> Option<&mut T> {
        match self {
            Self::Begun(operation) => Some(operation),
            _ => None,
        }
    }
}
