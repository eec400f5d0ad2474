//! Inclusion and consistency proofs against RFC 6962's own recursive definitions, and against another implementation.

use chancery_audit::merkle::{
    Frontier, Hash, leaf_hash, node_hash,
    proof::{self, Nodes, verify_consistency, verify_inclusion},
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use std::convert::Infallible;

/// All leaves' hashes: every node is computed from them.
pub(crate) struct Naive<'a>(pub(crate) &'a [Hash]);

impl Nodes for Naive<'_> {
    type Error = Infallible;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let width = 1 << level;
        Ok(mth(&self.0[index as usize * width..][..width]))
    }
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_le_bytes())).collect()
}

/// The largest power of two smaller than `n`.
fn k(n: usize) -> usize {
    (0..).map(|bit| 1 << bit).take_while(|power| *power < n).last().unwrap()
}

/// MTH (RFC 6962 §2.1).
fn mth(d: &[Hash]) -> Hash {
    match d {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => node_hash(&mth(&d[..k(d.len())]), &mth(&d[k(d.len())..])),
    }
}

/// PATH(m, D[n]) (RFC 6962 §2.1.1).
fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() == 1 {
        return Vec::new();
    }
    let k = k(d.len());
    let (mut path, sibling) =
        if m < k { (path(m, &d[..k]), mth(&d[k..])) } else { (path(m - k, &d[k..]), mth(&d[..k])) };
    path.push(sibling);
    path
}

/// SUBPROOF(m, D[n], b) (RFC 6962 §2.1.2).
fn subproof(m: usize, d: &[Hash], b: bool) -> Vec<Hash> {
    if m == d.len() {
        return if b { Vec::new() } else { vec![mth(d)] };
    }
    let k = k(d.len());
    let (mut proof, sibling) =
        if m <= k { (subproof(m, &d[..k], b), mth(&d[k..])) } else { (subproof(m - k, &d[k..], false), mth(&d[..k])) };
    proof.push(sibling);
    proof
}

fn inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    let Ok(path) = proof::inclusion(index as u64, leaves.len() as u64, &mut Naive(leaves));
    path
}

fn consistency(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    let Ok(path) = proof::consistency(old as u64, leaves.len() as u64, &mut Naive(leaves));
    path
}

/// A proof with one hash changed, dropped or added, each in turn.
fn spoiled(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..path.len() {
        let mut changed = path.to_vec();
        changed[at][at % 32] ^= 1;
        all.push(changed);
        let mut dropped = path.to_vec();
        dropped.remove(at);
        all.push(dropped);
        if at > 0 && path[at] != path[at - 1] {
            let mut swapped = path.to_vec();
            swapped.swap(at, at - 1);
            all.push(swapped);
        }
    }
    for at in 0..=path.len() {
        let mut longer = path.to_vec();
        longer.insert(at, [7; 32]);
        all.push(longer);
    }
    all
}

#[test]
fn every_record_of_every_small_tree() {
    let all = leaves(130);
    for size in 1..=all.len() {
        let tree = &all[..size];
        let root = mth(tree);
        for index in 0..size {
            let made = inclusion(index, tree);
            assert_eq!(made, path(index, tree), "{index} in {size}");
            let check = |index: usize, size: usize, path: &[Hash]| {
                verify_inclusion(&all[index], index as u64, size as u64, path, &root)
            };
            assert_eq!(check(index, size, &made), Ok(()));
            // Another place, another leaf: nothing of it is proven.
            for other in [index ^ 1, index + 1, size] {
                assert!(verify_inclusion(&tree[index], other as u64, size as u64, &made, &root).is_err());
            }
            if size < 20 || index % 17 == 0 {
                assert!(spoiled(&made).iter().all(|path| check(index, size, path).is_err()), "{index} in {size}");
            }
        }
    }
}

#[test]
fn every_growth_of_every_small_tree() {
    let all = leaves(130);
    let roots: Vec<Hash> = (0..=all.len()).map(|size| mth(&all[..size])).collect();
    for new in 0..=all.len() {
        for old in 0..=new {
            let made = consistency(old, &all[..new]);
            let definition = if old == 0 { Vec::new() } else { subproof(old, &all[..new], true) };
            assert_eq!(made, definition, "{old} to {new}");
            let check = |old_root: &Hash, path: &[Hash]| {
                verify_consistency(old as u64, old_root, new as u64, &roots[new], path)
            };
            assert_eq!(check(&roots[old], &made), Ok(()), "{old} to {new}");
            assert!(check(&[9; 32], &made).is_err(), "{old} to {new}");
            if new < 20 || old % 17 == 0 {
                assert!(spoiled(&made).iter().all(|path| check(&roots[old], path).is_err()), "{old} to {new}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn larger_trees_agree_with_ct_merkle(new in 131_usize..3000, at in any::<prop::sample::Index>()) {
        let all = leaves(new);
        let (index, old) = (at.index(new), at.index(new).max(1));
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..new).for_each(|index| oracle.push(index.to_le_bytes().to_vec()));
        let theirs = oracle.prove_inclusion(index);
        prop_assert_eq!(inclusion(index, &all).concat(), theirs.as_bytes());
        prop_assert_eq!(inclusion(index, &all), path(index, &all));
        let theirs = oracle.prove_consistency(new - old);
        prop_assert_eq!(consistency(old, &all).concat(), theirs.as_bytes());
        prop_assert_eq!(consistency(old, &all), subproof(old, &all, true));
    }

    #[test]
    fn a_frontier_is_read_from_nodes(size in 0_usize..600, more in 0_usize..50) {
        let all = leaves(size + more);
        let Ok(mut tree) = Frontier::read(size as u64, &mut Naive(&all[..size]));
        prop_assert_eq!(tree.root(), mth(&all[..size]));
        all[size..].iter().for_each(|leaf| tree.push(*leaf));
        prop_assert_eq!((tree.size(), tree.root()), ((size + more) as u64, mth(&all)));
    }
}
