//! Every state of an operation with every call (PKCS#11 v3.0 §5.2).

use crate::{
    operations::stage::{Stage, Turn},
    rv::{Result, Rv},
};
use cryptoki_sys::{CKR_DATA_LEN_RANGE, CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED};

type Call = fn(&mut Stage<u8>) -> Result<Option<Turn<u8>>>;

const CALLS: [(&str, Call); 9] = [
    ("init", |stage| stage.begin(2).map(|()| None)),
    ("whole", |stage| stage.whole(|_| None).map(Some)),
    ("whole, too little room", |stage| stage.whole(|_| Some(9)).map(Some)),
    ("update", |stage| stage.part(|_| Ok(())).map(|()| None)),
    ("update, refused", |stage| stage.part(|_| Err(Rv(CKR_DATA_LEN_RANGE))).map(|()| None)),
    ("final", |stage| stage.last(|_| None).map(Some)),
    ("final, too little room", |stage| stage.last(|_| Some(9)).map(Some)),
    ("idle?", |stage| stage.idle().map(|()| None)),
    ("cancel", |stage| {
        stage.cancel();
        Ok(None)
    }),
];

const EXPECTED: &str = "\
idle: init -> ok, begun
idle: whole -> not initialized, idle
idle: whole, too little room -> not initialized, idle
idle: update -> not initialized, idle
idle: update, refused -> not initialized, idle
idle: final -> not initialized, idle
idle: final, too little room -> not initialized, idle
idle: idle? -> ok, idle
idle: cancel -> ok, idle
begun: init -> active, begun
begun: whole -> taken, idle
begun: whole, too little room -> needs 9, begun
begun: update -> ok, parts
begun: update, refused -> refused, idle
begun: final -> taken, idle
begun: final, too little room -> needs 9, parts
begun: idle? -> active, begun
begun: cancel -> ok, idle
parts: init -> active, parts
parts: whole -> not initialized, idle
parts: whole, too little room -> not initialized, idle
parts: update -> ok, parts
parts: update, refused -> refused, idle
parts: final -> taken, idle
parts: final, too little room -> needs 9, parts
parts: idle? -> active, parts
parts: cancel -> ok, idle
";

#[test]
fn every_state_answers_every_call_as_the_standard_says() {
    let mut table = String::new();
    let states: [fn() -> Stage<u8>; 3] = [|| Stage::Idle, || Stage::Begun(1), || Stage::Parts(1)];
    for (name, state) in ["idle", "begun", "parts"].into_iter().zip(states) {
        for (called, call) in CALLS {
            let mut stage = state();
            let result = match call(&mut stage) {
                Ok(None) => "ok".to_owned(),
                Ok(Some(Turn::Go(operation))) => {
                    assert_eq!(operation, 1, "another operation than the one that was active");
                    "taken".to_owned()
                }
                Ok(Some(Turn::Needs(length))) => format!("needs {length}"),
                Err(Rv(CKR_OPERATION_ACTIVE)) => "active".to_owned(),
                Err(Rv(CKR_OPERATION_NOT_INITIALIZED)) => "not initialized".to_owned(),
                Err(Rv(CKR_DATA_LEN_RANGE)) => "refused".to_owned(),
                Err(Rv(other)) => format!("{other:#x}"),
            };
            let next = match stage {
                Stage::Idle => "idle",
                Stage::Begun(_) => "begun",
                Stage::Parts(_) => "parts",
            };
            table += &format!("{name}: {called} -> {result}, {next}\n");
        }
    }
    assert_eq!(table, EXPECTED);
}
