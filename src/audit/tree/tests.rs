//! Tiles on disk, against a tree that has them all in memory.

use super::*;
use chancery_audit::merkle::{
    Frontier, leaf_hash,
    proof::{verify_consistency, verify_inclusion},
};
use std::{fs, path::Path, sync::LazyLock};

fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_le_bytes())
}

/// The root over the first so many leaves.
fn root(size: u64) -> Hash {
    static ROOTS: LazyLock<Vec<Hash>> = LazyLock::new(|| {
        let mut tree = Frontier::default();
        let grown = (0..70_000).map(|index| {
            tree.push(leaf(index));
            tree.root()
        });
        [Frontier::default().root()].into_iter().chain(grown).collect()
    });
    ROOTS[size as usize]
}

/// A tree that read `size` records from a log and grows.
fn opened(directory: &Path, size: u64) -> Grower {
    let mut rebuild = Rebuild::after(directory, 0, &root(0)).unwrap();
    (0..size).for_each(|index| rebuild.push(leaf(index)));
    rebuild.finish().unwrap().grow()
}

/// Waits until every full tile has a file.
fn written(tree: &Tree) {
    while !tree.growing().unwritten.is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check(tree: &Tree, size: u64) {
    let top = root(size);
    assert_eq!(tree.root_at(size), Ok(top));
    for index in [0, 1, 255, 256, 257, size / 2, size - 2, size - 1].into_iter().filter(|index| *index < size) {
        let path = tree.inclusion(index, size).unwrap();
        assert_eq!(verify_inclusion(&leaf(index), index, size, &path, &top), Ok(()), "{index} in {size}");
    }
    for old in [0, 1, 200, 256, 300, size / 2, size - 1, size].into_iter().filter(|old| *old <= size) {
        let path = tree.consistency(old, size).unwrap();
        assert_eq!(verify_consistency(old, &root(old), size, &top, &path), Ok(()), "{old} to {size}");
    }
}

#[test]
fn proofs_come_from_memory_and_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let grower = opened(directory.path(), 300);
    let tree = grower.tree();
    grower.append((300..70_000).map(leaf));
    check(&tree, 70_000);
    written(&tree);
    assert!(directory.path().join("0/272").is_file() && directory.path().join("1/000").is_file());
    for size in [258, 512, 65_536, 65_537, 69_999, 70_000] {
        check(&tree, size);
    }
    assert_eq!(tree.size_and_root(), (70_000, root(70_000)));

    assert_eq!(tree.root_at(70_001), Err(TreeError::Beyond { size: 70_001, durable: 70_000 }));
    assert_eq!(tree.inclusion(5, 5), Err(TreeError::NotIn { index: 5, size: 5 }));
    assert_eq!(tree.consistency(6, 5), Err(TreeError::Shrunk { old: 6, new: 5 }));
    let beyond = Tile::at_size(0, 274, 274 * 256 + 1).unwrap();
    assert!(matches!(tree.tile(beyond), Err(TreeError::Beyond { .. })));
}

#[test]
fn missing_and_wrong_tiles_are_made_again_from_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = |tile: &str| directory.path().join(tile);
    drop(opened(directory.path(), 1024));
    let good = fs::read(path("0/002")).unwrap();

    fs::remove_file(path("0/001")).unwrap();
    let mut bad = good.clone();
    bad[77] ^= 1;
    fs::write(path("0/002"), &bad).unwrap();
    fs::write(path("0/003"), &good[..100]).unwrap();
    let grower = opened(directory.path(), 1024);
    check(&grower.tree(), 1024);
    assert_eq!(fs::read(path("0/002")).unwrap(), good);

    // A tile that breaks while the service runs is told by its name, and no wrong length is read.
    fs::write(path("0/002"), &good[..100]).unwrap();
    let error = grower.tree().inclusion(700, 1024).unwrap_err();
    assert!(error.to_string().contains("tile 0/002"), "{error}");
}

#[test]
fn a_disk_that_takes_no_tile_costs_memory_only() {
    let directory = tempfile::tempdir().unwrap();
    let grower = opened(directory.path(), 0);
    // Where level 0 should be, a file stands.
    fs::write(directory.path().join("0"), "").unwrap();
    grower.append((0..600).map(leaf));
    check(&grower.tree(), 600);
    assert!(grower.tree().sync_through(600).is_err());
    fs::remove_file(directory.path().join("0")).unwrap();
    grower.tree().sync_through(600).unwrap();
    check(&grower.tree(), 600);
}

#[test]
fn a_tree_goes_on_without_the_records_whose_tiles_were_synced() {
    for archived in [1, 255, 256, 300, 512, 65_536, 66_000] {
        let directory = tempfile::tempdir().unwrap();
        let grower = opened(directory.path(), archived + 10);
        grower.tree().sync_through(archived).unwrap();
        drop(grower);

        let mut rebuild = Rebuild::after(directory.path(), archived, &root(archived)).unwrap();
        (archived..archived + 700).for_each(|index| rebuild.push(leaf(index)));
        let grower = rebuild.finish().unwrap().grow();
        check(&grower.tree(), archived + 700);

        assert!(Rebuild::after(directory.path(), archived, &root(archived + 1)).is_err());
        let partial = Tile::partial_at(archived).next().unwrap();
        fs::remove_file(directory.path().join(partial.to_string())).unwrap();
        let error = Rebuild::after(directory.path(), archived, &root(archived)).err().unwrap();
        assert!(error.to_string().contains(&partial.to_string()), "{error}");
    }
}
