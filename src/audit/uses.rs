//! Uses of keys whose output is recorded nowhere.
//!
//! **Invariant**: only a [`RecordedUse`] lets its output go, and only the log makes one.

use super::{AuditLog, Draft, unavailable};
use crate::{
    access::{Access, Grant},
    enclave::{Failed, Used},
    error::Error,
    model::{KeyVersionName, RequestId},
};
use zeroize::Zeroizing;

/// A use of a key whose record is durable.
#[must_use]
pub struct RecordedUse {
    grant: Grant,
    output: Zeroizing<Vec<u8>>,
    version: KeyVersionName,
    index: u64,
}

/// An output on its way out.
pub struct ReleasedUse {
    /// The result; wiped when dropped.
    pub output: Zeroizing<Vec<u8>>,
    /// The version that was used.
    pub version: KeyVersionName,
    /// Index of the record.
    pub index: u64,
}

impl RecordedUse {
    /// Lets the output go, if it may still be given to whoever asked.
    ///
    /// # Errors
    /// What changed since it was permitted: the output is gone, and that it was not given out is to be recorded.
    pub fn release(self, access: &Access) -> Result<ReleasedUse, Box<Failed>> {
        match access.recheck(&self.grant, Some(&self.version)) {
            Ok(()) => Ok(ReleasedUse { output: self.output, version: self.version, index: self.index }),
            Err(error) => Err(Box::new(Failed { grant: self.grant, error, witness: None })),
        }
    }
}

impl AuditLog {
    /// Records a use of a key, and nothing of its output; one that must not be made any more, as a failure.
    ///
    /// # Errors
    /// What ended it, or [`Error::Unavailable`] when the log can't be written: the output is dropped.
    pub async fn append_use(&self, access: &Access, used: Used, request: &RequestId) -> Result<RecordedUse, Error> {
        let Used { grant, version, mechanism, output, witness } = used;
        let name = version.row.name.clone();
        let _turn = match self.recording_use(access, &grant, &name).await {
            Ok(turn) => turn,
            Err(error) => {
                let draft =
                    Draft::failed(&grant, request, &error).resource(&name).mechanism(mechanism).witness(witness);
                self.append(draft).await.map_err(|error| unavailable(&error))?;
                return Err(error);
            }
        };
        let draft = Draft::outcome(&grant, request).resource(&name).mechanism(mechanism).witness(witness);
        let index = self.append(draft).await.map_err(|error| unavailable(&error))?;
        Ok(RecordedUse { grant, output, version: name, index })
    }
}
