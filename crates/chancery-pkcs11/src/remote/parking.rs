//! Where a caller waits for what the thread brings.
//!
//! **Invariant**: a [`Promise`] is kept or broken, and either way its caller is woken.

use super::failure::thread_ended;
use chancery_client::ClientError;
use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Instant,
};

/// Place for one value and one caller.
pub(super) struct Parking<T> {
    value: Mutex<Option<T>>,
    come: Condvar,
}

impl<T> Default for Parking<T> {
    fn default() -> Self {
        Self { value: Mutex::new(None), come: Condvar::new() }
    }
}

impl<T> Parking<T> {
    /// Leaves the value, and wakes the caller.
    pub(super) fn put(&self, value: T) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.come.notify_one();
    }

    /// Takes the value, which may take until `deadline` to come.
    pub(super) fn wait_until(&self, deadline: Instant) -> Option<T> {
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(value) = value.take() {
                return Some(value);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            value = self.come.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The other side of a [`Parking`] for an answer.
pub(super) struct Promise<T>(Option<Arc<Parking<Result<T, ClientError>>>>);

impl<T> Promise<T> {
    /// To whoever waits there.
    pub(super) fn of(parking: &Arc<Parking<Result<T, ClientError>>>) -> Self {
        Self(Some(Arc::clone(parking)))
    }

    /// Answers.
    pub(super) fn keep(mut self, answer: Result<T, ClientError>) {
        if let Some(parking) = self.0.take() {
            parking.put(answer);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some(parking) = self.0.take() {
            parking.put(Err(thread_ended()));
        }
    }
}
