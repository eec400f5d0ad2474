//! Length-delimited protobuf: four bytes of length (little endian), then one message.
//!
//! **Invariant**: a frame over [`MAX_FRAME`] bytes, or one that isn't a message, ends the conversation; there is no
//! resynchronization. [`Frames`] keeps no byte of a message that it gave out, in buffers that it outgrew neither.

use prost::Message;
use std::fmt;
use zeroize::Zeroize;

/// The longest message either side accepts, in bytes: the largest request that chanceryd can be configured to take
/// (4 MiB), and room for what goes with it.
pub const MAX_FRAME: usize = (4 << 20) + (64 << 10);

/// Bytes of a frame's header.
pub const HEADER: usize = 4;

/// The bytes are no conversation between chanceryd and its enclave.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length in a frame's header is over [`MAX_FRAME`].
    #[error("frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLong(usize),
    /// The frame's payload isn't the expected message.
    #[error("frame holds no valid message: {0}")]
    Malformed(#[from] prost::DecodeError),
}

/// Appends `message` to `buffer` as one frame.
///
/// # Errors
/// [`FrameError::TooLong`] when the message is over [`MAX_FRAME`] bytes; `buffer` is then unchanged.
pub fn encode(message: &impl Message, buffer: &mut Vec<u8>) -> Result<(), FrameError> {
    let length = message.encoded_len();
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let header = u32::try_from(length).map_err(|_| FrameError::TooLong(length))?;
    buffer.extend_from_slice(&header.to_le_bytes());
    message.encode_raw(buffer);
    Ok(())
}

/// Cuts a stream of bytes into messages.
#[derive(Default)]
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
}

/// Messages may hold plaintexts.
impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("pending", &(self.buffer.len() - self.start)).finish_non_exhaustive()
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.buffer.as_mut_slice().zeroize();
    }
}

impl Frames {
    /// Adds bytes as they came from the socket.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        let needed = self.buffer.len() + bytes.len();
        if needed > self.buffer.capacity() {
            let mut longer = Vec::with_capacity(needed.max(2 * self.buffer.capacity()));
            longer.extend_from_slice(&self.buffer);
            self.buffer.as_mut_slice().zeroize();
            self.buffer = longer;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more bytes come.
    ///
    /// # Errors
    /// [`FrameError`]: the peer is broken; close the socket.
    pub fn next_message<M: Message + Default>(&mut self) -> Result<Option<M>, FrameError> {
        let pending = &self.buffer[self.start..];
        let Some((header, rest)) = pending.split_first_chunk::<HEADER>() else {
            self.compact();
            return Ok(None);
        };
        let length = u32::from_le_bytes(*header) as usize;
        if length > MAX_FRAME {
            return Err(FrameError::TooLong(length));
        }
        let Some(payload) = rest.get(..length) else {
            self.compact();
            return Ok(None);
        };
        let message = M::decode(payload)?;
        let end = self.start + HEADER + length;
        self.buffer[self.start..end].zeroize();
        self.start = end;
        Ok(Some(message))
    }

    /// Moves what is not given out yet to the front.
    fn compact(&mut self) {
        if self.start == 0 {
            return;
        }
        let left = self.buffer.len() - self.start;
        self.buffer.copy_within(self.start.., 0);
        self.buffer[left..].zeroize();
        self.buffer.truncate(left);
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, UseKey, request::Verb};
    use proptest::prelude::*;

    fn request(id: u64, input: Vec<u8>) -> Request {
        Request { id, deadline_unix_millis: 0, verb: Some(Verb::UseKey(UseKey { input, ..UseKey::default() })) }
    }

    proptest! {
        /// Messages come out as they went in, however the stream is cut.
        #[test]
        fn messages_survive_any_cut(inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..8), cut in 1usize..40) {
            let sent: Vec<_> = inputs.into_iter().enumerate().map(|(id, input)| request(id as u64, input)).collect();
            let mut wire = Vec::new();
            for message in &sent { encode(message, &mut wire).unwrap(); }
            let mut frames = Frames::default();
            let mut received = Vec::new();
            for chunk in wire.chunks(cut) {
                frames.extend(chunk);
                while let Some(message) = frames.next_message::<Request>().unwrap() { received.push(message); }
            }
            prop_assert_eq!(received, sent);
        }

        /// Arbitrary bytes never panic.
        #[test]
        fn garbage_is_an_error_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let mut frames = Frames::default();
            frames.extend(&bytes);
            while let Ok(Some(_)) = frames.next_message::<Request>() {}
        }
    }

    /// However it grew and moved what it held.
    #[test]
    fn what_was_given_out_is_wiped() {
        let secret = [0xa5; 48];
        let mut wire = Vec::new();
        for id in 0..3 {
            encode(&request(id, secret.to_vec()), &mut wire).unwrap();
        }
        let (mut frames, mut given) = (Frames::default(), 0);
        for chunk in wire.chunks(70) {
            frames.extend(chunk);
            while let Some(Request { .. }) = frames.next_message().unwrap() {
                given += 1;
                assert!(frames.start > 0 && frames.buffer[..frames.start].iter().all(|byte| *byte == 0));
            }
        }
        assert_eq!((given, frames.buffer.len()), (3, frames.start));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_it_is_buffered() {
        let mut frames = Frames::default();
        frames.extend(&u32::MAX.to_le_bytes());
        assert!(matches!(frames.next_message::<Request>(), Err(FrameError::TooLong(_))));
    }
}
