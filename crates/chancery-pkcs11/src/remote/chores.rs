//! What is to be undone at the service when nobody waits for it any more: session keys that are to go.
//!
//! **Invariant**: a chore is tried until the service has answered, at first at once, then with each renewal of its
//! organization's lease. Where no lease is renewed the service does it by itself.
//!
//! **Not here**: what chores say (`objects`).

use super::failure::is_settled;
use crate::log;
use chancery_client::{Attempt, Client, retry_until};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

type Answer = Pin<Box<dyn Future<Output = Result<tonic::Response<()>, tonic::Status>> + Send>>;

/// One chore: a request with one request id.
pub(super) type Chore = Arc<dyn Fn(Client, Attempt) -> Answer + Send + Sync>;

/// By number, each with its organization.
#[derive(Default)]
pub(super) struct Chores(Mutex<Open>);

#[derive(Default)]
struct Open {
    last: u64,
    chores: BTreeMap<u64, (String, Chore)>,
}

impl Chores {
    /// One more; its number.
    pub(super) fn add(&self, organization: &str, chore: Chore) -> u64 {
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.chores.insert(number, (organization.to_owned(), chore));
        number
    }

    /// Tries one.
    pub(super) async fn attend(&self, number: u64, client: &Client, patience: Duration) {
        let Some((_, chore)) = self.lock().chores.get(&number).cloned() else { return };
        let deadline = Instant::now() + patience;
        match retry_until(deadline.into(), |attempt| chore(client.clone(), attempt)).await {
            Err(error) if !is_settled(&error) => log::line(format_args!("in the background, to be repeated: {error}")),
            Err(error) => {
                log::line(format_args!("in the background: {error}"));
                self.lock().chores.remove(&number);
            }
            Ok(_) => {
                self.lock().chores.remove(&number);
            }
        }
    }

    /// Tries all of an organization.
    pub(super) async fn attend_all(&self, organization: &str, client: &Client, patience: Duration) {
        for number in self.of(organization) {
            self.attend(number, client, patience).await;
        }
    }

    fn of(&self, organization: &str) -> Vec<u64> {
        let open = self.lock();
        open.chores.iter().filter(|(_, (of, _))| of == organization).map(|(number, _)| *number).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
