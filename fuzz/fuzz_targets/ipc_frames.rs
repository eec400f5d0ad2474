//! Frames of the conversation between chanceryd and its enclave: no bytes may panic the reader, and what was decoded
//! must survive being encoded and decoded again.

#![no_main]

use chancery_ipc::{Frames, Request, Response, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((cut, stream)) = data.split_first() else { return };
    // The stream arrives in pieces of a size that the input chooses.
    let piece = usize::from(*cut).max(1);

    let mut frames = Frames::default();
    'requests: for bytes in stream.chunks(piece) {
        frames.extend(bytes);
        loop {
            match frames.next_message::<Request>() {
                Ok(Some(request)) => {
                    let mut wire = Vec::new();
                    if encode(&request, &mut wire).is_ok() {
                        let mut again = Frames::default();
                        again.extend(&wire);
                        assert_eq!(again.next_message::<Request>().expect("own encoding"), Some(request));
                    }
                }
                Ok(None) => break,
                Err(_) => break 'requests,
            }
        }
    }

    let mut frames = Frames::default();
    'responses: for bytes in stream.chunks(piece) {
        frames.extend(bytes);
        loop {
            match frames.next_message::<Response>() {
                Ok(Some(response)) => {
                    let mut wire = Vec::new();
                    if encode(&response, &mut wire).is_ok() {
                        let mut again = Frames::default();
                        again.extend(&wire);
                        assert_eq!(again.next_message::<Response>().expect("own encoding"), Some(response));
                    }
                }
                Ok(None) => break,
                Err(_) => break 'responses,
            }
        }
    }
});
