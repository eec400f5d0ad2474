//! Asking the service what there is.
//!
//! **Invariants**
//! * One listing of a slot is under way at a time. Whoever needs one waits for one that began after it asked: two requests
//!   serve any number of threads.
//! * What was known stays when the service can't be asked. Nobody waits longer than for its own deadline.

use super::listing::{Begun, Listed, Listing};
use crate::{
    module::Module,
    remote::Doing,
    rv::{Result, Rv},
};
use chancery_api::v1;
use cryptoki_sys::CKR_SESSION_HANDLE_INVALID;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

/// A page of 1000 objects with large keys and certificates.
const MAXIMUM_PAGE: usize = 64 << 20;
/// A listing whose state changes between its pages is asked for again, so often.
const TRIES: usize = 3;
/// A search that names nothing asks the service, unless that was done so recently.
const RECENT: Duration = Duration::from_secs(1);

/// The service could not be asked until the deadline.
const LOST: Rv = Rv(CKR_SESSION_HANDLE_INVALID);

/// One slot's objects.
pub(super) struct Slot {
    organization: String,
    listing: RwLock<Listing>,
    turn: Mutex<Turn>,
    over: Condvar,
}

/// Listings are counted from 1.
#[derive(Default)]
struct Turn {
    begun: u64,
    ended: u64,
    /// What came of the one that ended last.
    outcome: Option<Rv>,
}

/// Ends a listing, whatever happens.
struct Ending<'a>(&'a Slot, Result<()>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut turn = self.0.turn();
        turn.ended = turn.begun;
        turn.outcome = self.1.err();
        self.0.over.notify_all();
    }
}

impl Slot {
    /// Of an organization; never asked for.
    pub(super) fn new(organization: String, listing: Listing) -> Self {
        Self { organization, listing: RwLock::new(listing), turn: Mutex::default(), over: Condvar::new() }
    }

    /// organizations/{organization}
    pub(super) fn organization(&self) -> &str {
        &self.organization
    }

    /// Whether the service was asked just now.
    pub(super) fn recent(&self) -> bool {
        self.read().asked().is_some_and(|asked| asked.elapsed() < RECENT)
    }

    /// What is known.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Listing> {
        self.listing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, to change it.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Listing> {
        self.listing.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the service, or waits for a thread that has begun to since.
    ///
    /// # Errors
    /// What [`Doing::Finding`] says of the failure, once the deadline is over.
    pub(super) fn refresh(&self, module: &Module) -> Result<()> {
        let deadline = Instant::now() + module.config.deadline;
        self.in_turn(deadline, || {
            let begun = self.write().begin();
            let listed = self.pages(module, deadline, &begun);
            let mut listing = self.write();
            match listed {
                Ok(listed) => listing.finish(&begun, listed),
                Err(failure) => {
                    listing.give_up();
                    return Err(failure);
                }
            }
            Ok(())
        })
    }

    /// Runs `list`, or waits for another thread's that begins after this was called.
    pub(super) fn in_turn(&self, deadline: Instant, list: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut turn = self.turn();
        let mut needed = turn.begun + 1;
        loop {
            if turn.ended >= needed {
                match turn.outcome {
                    None => return Ok(()),
                    // That thread's deadline was an earlier one.
                    Some(LOST) if Instant::now() < deadline => needed = turn.begun + 1,
                    Some(refused) => return Err(refused),
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LOST);
            }
            if turn.begun == turn.ended {
                turn.begun += 1;
                drop(turn);
                let mut ending = Ending(self, Err(LOST));
                ending.1 = list();
                return ending.1;
            }
            turn = self.over.wait_timeout(turn, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn pages(&self, module: &Module, deadline: Instant, begun: &Begun) -> Result<Listed> {
        let mut tries = 1;
        loop {
            let first = self.page(module, deadline, String::new(), begun.revision.clone())?;
            if first.unchanged {
                return Ok(Listed::Unchanged);
            }
            let (mut objects, mut next, mut torn) = (first.objects, first.next_page_token, false);
            while !next.is_empty() {
                let page = self.page(module, deadline, next, Vec::new())?;
                torn |= page.revision != first.revision;
                objects.extend(page.objects);
                next = page.next_page_token;
            }
            match torn {
                false => return Ok(Listed::Objects(objects, first.revision)),
                // Of no one state, so that the next listing can't be "unchanged".
                true if tries == TRIES => return Ok(Listed::Objects(objects, Vec::new())),
                true => tries += 1,
            }
        }
    }

    fn page(
        &self,
        module: &Module,
        deadline: Instant,
        page_token: String,
        known_revision: Vec<u8>,
    ) -> Result<v1::ListObjectsResponse> {
        let parent = self.organization.clone();
        let request = v1::ListObjectsRequest { parent, page_size: 0, page_token, known_revision };
        let answer = module.remote.call_by(deadline, move |client, attempt| {
            let request = attempt.request(request.clone());
            async move { client.objects().max_decoding_message_size(MAXIMUM_PAGE).list_objects(request).await }
        });
        answer.map_err(|failure| failure.rv(Doing::Finding))
    }
}
