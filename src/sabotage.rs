//! A service that does not keep its word: for tests of what notices it (tests/witness/sabotage.rs), and in no release build.
//!
//! `CHANCERY_SABOTAGE` says how: `skip:N` leaves out the record of every N-th signature and releases that nevertheless,
//! `crash:N` ends the service when the N-th was made and before it is recorded, as a crash does.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Time for others to sign, and for statements of the enclave to cover the signature.
const BEFORE_THE_CRASH: Duration = Duration::from_secs(5);

enum Sabotage {
    Skip(u64),
    Crash(u64),
    None,
}

static SABOTAGE: LazyLock<Sabotage> = LazyLock::new(|| {
    let wanted = std::env::var("CHANCERY_SABOTAGE").unwrap_or_default();
    match wanted.split_once(':').map(|(how, every)| (how, every.parse())) {
        Some(("skip", Ok(every))) => Sabotage::Skip(every),
        Some(("crash", Ok(number))) => Sabotage::Crash(number),
        _ => Sabotage::None,
    }
});

static SIGNATURES: AtomicU64 = AtomicU64::new(0);

/// Whether the record of the signature that was just made is left out.
pub async fn leaves_out_this_record() -> bool {
    let number = SIGNATURES.fetch_add(1, Ordering::Relaxed) + 1;
    match *SABOTAGE {
        Sabotage::Skip(every) => number.is_multiple_of(every),
        Sabotage::Crash(this) if number == this => {
            tokio::time::sleep(BEFORE_THE_CRASH).await;
            std::process::abort()
        }
        _ => false,
    }
}
