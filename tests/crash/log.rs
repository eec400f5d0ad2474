//! What clients received, held against the audit log.

use crate::load::Seen;
use chancery_client::Performed;
use std::collections::HashMap;

pub use crate::recorded::Log;

impl Log {
    /// Every signature that a client received stands in the log exactly once, where its answer said and with its bytes;
    /// every failure told the truth.
    pub fn accounts_for(&self, seen: &Seen) {
        let mut count: HashMap<(&[u8], &[u8]), usize> = HashMap::new();
        let mut signed: HashMap<&str, usize> = HashMap::new();
        for record in self.signatures() {
            *count.entry((&record.digest, &record.signature)).or_default() += 1;
            *signed.entry(&record.request_id).or_default() += 1;
        }
        for released in &seen.released {
            let record = &self.records[usize::try_from(released.index).unwrap()];
            assert_eq!(
                (&record.request_id, &record.digest, &record.signature, &record.resource),
                (&released.request_id, &released.digest, &released.signature, &released.version),
                "record {} is not that of the signature that was released",
                released.index
            );
            assert_eq!(count.get(&(&*released.digest, &*released.signature)), Some(&1), "record {}", released.index);
        }
        for failure in &seen.failures {
            let recorded = signed.get(&*failure.request_id).copied().unwrap_or_default();
            assert!(failure.error.retryable, "a crash is nothing that the caller did: {:?}", failure.error);
            assert!(
                recorded == 0 || failure.error.performed != Some(Performed::NotPerformed),
                "request {} was performed: {:?}",
                failure.request_id,
                failure.error
            );
        }
    }
}
