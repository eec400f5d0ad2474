//! Work on many records at once.
//!
//! **Invariant**: results stand in the items' order, whoever made them.
//!
//! **Not here**: which work may be done out of order (the verifier).

use std::{
    panic::resume_unwind,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// So many items are taken at a time: enough that taking them costs nothing, few enough that nobody waits long at the end.
const BLOCK: usize = 32;

/// Does `work` on every item, on all processors that this process may use.
pub fn spread<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = processors().min(items.len() / BLOCK);
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let blocks: Vec<_> = items.chunks(BLOCK).collect();
    let take = || {
        let mut done = Vec::with_capacity(blocks.len() / threads + 1);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = blocks.get(number) else { return done };
            done.push((number, block.iter().map(&work).collect::<Vec<_>>()));
        }
    };
    let mut done = thread::scope(|scope| {
        // A thread that can't be had is missed by nobody: the others take its blocks.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok()).collect();
        let mut done = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_order() {
        for length in [0, 1, BLOCK, 2 * BLOCK, 10 * BLOCK + 1] {
            let items: Vec<usize> = (0..length).collect();
            let doubled: Vec<_> = items.iter().map(|item| 2 * item).collect();
            assert_eq!(spread(&items, |item| 2 * item), doubled);
        }
    }

    #[test]
    #[should_panic(expected = "item 77")]
    fn a_panic_is_passed_on() {
        let items: Vec<usize> = (0..10 * BLOCK).collect();
        spread(&items, |item| assert_ne!(*item, 77, "item 77"));
    }
}
