//! ENCLAVE keys on their way from the store to the enclave.
//!
//! **Invariant**: a key that was wrapped anew while it was on its way is not taken for a damaged one.

use super::{Enclave, pending::Answer};
use crate::error::{Error, Performed};
use chancery_api::reasons;
use chancery_ipc::request::Verb;

impl Enclave {
    /// Sends a request with a version's wrapped key. If that is refused, and the store has another by then, it was
    /// wrapped anew meanwhile and what it was wrapped under before is gone: the request goes out again. Each round takes
    /// a whole rewrap.
    pub(super) async fn call_with_wrapped(
        &self,
        version: &str,
        request_id: Option<&str>,
        verb: impl Fn(Vec<u8>) -> Result<Verb, Error>,
    ) -> Result<Answer, Error> {
        let mut wrapped = self.wrapped(version).await?;
        loop {
            match self.call(verb(wrapped.clone())?, request_id).await {
                Err(error) if error.reason() == reasons::WRAPPED_KEY_INVALID => {
                    let now = self.wrapped(version).await?;
                    if now == wrapped {
                        return Err(error);
                    }
                    wrapped = now;
                }
                answer => return answer,
            }
        }
    }

    /// A key as it is wrapped.
    async fn wrapped(&self, version: &str) -> Result<Vec<u8>, Error> {
        let found = self.store.wrapped(version.to_owned()).await.map_err(|error| {
            tracing::error!(%error, "the store can't be read");
            Error::Unavailable {
                reason: reasons::STORE_UNAVAILABLE,
                message: "the store can't be read right now; try again".into(),
                performed: Performed::No,
            }
        })?;
        // An empty one would say that none is sent along.
        found.filter(|wrapped| !wrapped.is_empty()).ok_or_else(|| Error::Precondition {
            reason: reasons::WRAPPED_KEY_INVALID,
            message: format!("the store has lost the wrapped key of {version}; restore it from a backup"),
        })
    }
}
