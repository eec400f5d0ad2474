//! Fixed-width text of the standard's structures: padded with spaces, not ended by a zero.

/// `text` in `N` bytes; what does not fit is cut off at a character's end.
pub(super) fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    let length = text.floor_char_boundary(N);
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
    field
}

#[cfg(test)]
mod tests {
    use super::padded;

    #[test]
    fn text_is_padded_or_cut_between_characters() {
        assert_eq!(&padded::<4>("ab"), b"ab  ");
        assert_eq!(&padded::<4>("abcde"), b"abcd");
        assert_eq!(&padded::<4>("abc\u{fc}"), b"abc ");
    }
}
