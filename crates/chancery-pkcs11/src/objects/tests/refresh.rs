//! Whose turn it is to ask the service.

use super::*;
use crate::objects::refresh::Slot;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

const LOST: Rv = Rv(CKR_SESSION_HANDLE_INVALID);

fn slot() -> Slot {
    Slot::new("organizations/org1".to_owned(), Listing::default())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Whoever comes while one is under way needs the next; one more serves them all.
#[test]
fn two_listings_serve_any_number_of_threads() {
    let (slot, listings) = (slot(), AtomicUsize::new(0));
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let (slot, listings) = (&slot, &listings);
        scope.spawn(move || {
            let first = slot.in_turn(soon(), || {
                listings.fetch_add(1, Ordering::SeqCst);
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
                Ok(())
            });
            assert_eq!(first, Ok(()));
        });
        has_begun.recv().unwrap();
        let (waits, waiting) = mpsc::channel();
        for _ in 0..16 {
            let waits = waits.clone();
            scope.spawn(move || {
                waits.send(()).unwrap();
                let waited = slot.in_turn(soon(), || {
                    listings.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                });
                assert_eq!(waited, Ok(()));
            });
        }
        (0..16).for_each(|_| waiting.recv().unwrap());
        // They are about to wait; one that is late only lists for itself.
        thread::sleep(Duration::from_millis(200));
        assert_eq!(listings.load(Ordering::SeqCst), 1, "one at a time");
        go_on.send(()).unwrap();
    });
    let listings = listings.into_inner();
    assert!((2..=4).contains(&listings), "{listings}");
}

/// A thread that came later has more time: it goes on where the first gives up, and is told no where the service says no.
#[test]
fn nobody_gives_up_before_its_own_deadline() {
    let before = slot();
    for refused in [LOST, Rv(CKR_FUNCTION_REJECTED)] {
        assert_eq!(before.in_turn(soon(), || Err(refused)), Err(refused));
        assert_eq!(before.in_turn(soon(), || Ok(())), Ok(()), "what failed before says nothing of now");
    }
    let (slot, (begun, has_begun)) = (slot(), mpsc::channel());
    thread::scope(|scope| {
        let slot = &slot;
        let holder = scope.spawn(move || {
            slot.in_turn(soon(), || {
                begun.send(()).unwrap();
                thread::sleep(Duration::from_millis(500));
                Err(LOST)
            })
        });
        has_begun.recv().unwrap();
        assert_eq!(slot.in_turn(Instant::now(), || Ok(())), Err(LOST), "its time is up");
        assert_eq!(slot.in_turn(soon(), || Ok(())), Ok(()), "its own listing, after the other's end");
        assert_eq!(holder.join().unwrap(), Err(LOST));
    });
}

/// A defect in one thread ends nobody else's waiting.
#[test]
fn a_panic_gives_the_turn_back() {
    let slot = slot();
    let panicked = catch_unwind(AssertUnwindSafe(|| slot.in_turn(soon(), || panic!("a defect"))));
    assert!(panicked.is_err());
    assert_eq!(slot.in_turn(soon(), || Ok(())), Ok(()));
}
