//! The tree against the vectors of Certificate Transparency and against another implementation.

use chancery_audit::merkle::{Frontier, leaf_hash, node_hash};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

/// google/certificate-transparency, the eight-leaf test tree.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn certificate_transparency_vectors() {
    let mut tree = Frontier::default();
    assert_eq!(hex::encode(tree.root()), ROOTS[0]);
    for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
        tree.push(leaf_hash(&hex::decode(leaf).unwrap()));
        assert_eq!(hex::encode(tree.root()), *root);
    }
    assert_eq!(tree.size(), 8);
    let pair = node_hash(&leaf_hash(b""), &leaf_hash(b"\0"));
    assert_eq!(hex::encode(pair), ROOTS[2]);
}

proptest! {
    #[test]
    fn agrees_with_ct_merkle(leaves in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..200)) {
        let mut tree = Frontier::default();
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for leaf in leaves {
            tree.push(leaf_hash(&leaf));
            oracle.push(leaf);
            prop_assert_eq!(hex::encode(tree.root()), hex::encode(oracle.root().as_bytes()));
            prop_assert_eq!(tree.size(), oracle.len());
        }
    }
}
