//! Audit records: no bytes may panic the decoder, and what was decoded survives being encoded and decoded again.

#![no_main]

use chancery_audit::record::Record;
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|data: &[u8]| {
    let Ok(record) = Record::decode(data) else { return };
    let again = Record::decode(record.encode_to_vec().as_slice()).expect("own encoding");
    assert_eq!(again, record);
});
