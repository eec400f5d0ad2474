//! FIPS 180-4 and GB/T 32905, examples of "abc".

use super::bytes;
use crate::operations::hashing::Hashing;

const EXAMPLES: [(Hashing, &str); 6] = [
    (Hashing::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (Hashing::Sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
    (Hashing::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        Hashing::Sha384,
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        Hashing::Sha512,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (Hashing::Sm3, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
];

#[test]
fn digests_are_the_standards_in_whatever_pieces_the_data_comes() {
    for (hashing, expected) in EXAMPLES {
        let expected = bytes(expected);
        assert_eq!(hashing.length(), expected.len(), "{hashing:?}");
        for pieces in [&["abc"][..], &["a", "bc"], &["", "a", "b", "c", ""]] {
            let mut hasher = hashing.begin();
            pieces.iter().for_each(|piece| hasher.update(piece.as_bytes()));
            assert_eq!(hasher.finish(), expected, "{hashing:?} of {pieces:?}");
        }
    }
}
