//! Snapshots: no bytes may panic the parser, and what was read leads to the same snapshot when it is gone on from.

#![no_main]

use chancery_audit::snapshot::{Replay, Snapshot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(snapshot) = Snapshot::decode(data) else { return };
    let again = Replay::after(&snapshot).snapshot().expect("it was sound");
    assert_eq!((again.records(), again.tree().root()), (snapshot.records(), snapshot.tree().root()));
    assert_eq!(again.states(), snapshot.states());
    let own = Snapshot::decode(&again.encode()).expect("own encoding");
    assert_eq!(own.sha256(), again.sha256());
});
