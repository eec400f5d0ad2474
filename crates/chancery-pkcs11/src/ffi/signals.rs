//! The host's signals: none of its handlers runs in a thread of ours.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

/// Runs `start` with every signal blocked in this thread: the threads that it starts inherit that, and keep it.
pub(crate) fn blocked<T>(start: impl FnOnce() -> T) -> T {
    /// Restores the mask, whatever happens.
    struct Before(libc::sigset_t);

    impl Drop for Before {
        fn drop(&mut self) {
            // SAFETY: the mask is one that pthread_sigmask filled in; no other is asked for.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
        }
    }

    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both point to room for a set. sigfillset fills the first in, pthread_sigmask with a valid `how` the second:
    // it fails on no other ground.
    let _before = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        Before(before.assume_init())
    };
    start()
}
