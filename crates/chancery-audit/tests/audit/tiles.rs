//! Tiles: the examples of C2SP tlog-tiles, and their hashes against the definition.

use chancery_audit::{
    merkle::{Frontier, Hash, leaf_hash, node_hash},
    tiles::{Edge, Tile, decode, encode, place, subtree},
};
use std::collections::BTreeMap;

#[test]
fn the_specifications_paths() {
    for (tile, path) in [
        (Tile::full(0, 1_234_067), "0/x001/x234/067"),
        (Tile::full(0, 0), "0/000"),
        (Tile::full(1, 999), "1/999"),
        (Tile::full(2, 1000), "2/x001/000"),
        (Tile::at_size(0, 273, 70_000).unwrap(), "0/273.p/112"),
        (Tile::at_size(2, 0, 70_000).unwrap(), "2/000.p/1"),
    ] {
        assert_eq!(tile.to_string(), path);
        assert_eq!(Tile::parse(path), Some(tile));
    }
    for wrong in [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/001",
        "0/x001",
        "0/001/002",
        "0/x1/000",
        "00/000",
        "01/000",
        "8/000",
        "63/000",
        "-1/000",
        "+0/000",
        "0/+01",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "0/000.p",
        "0/000.p/1/2",
        "0/000/",
        "/0/000",
        "0//000",
        "0/../000",
        "entries/000",
        "data/000",
        "0/x999/x999/x999/x999/x999/x999/999",
        "0/x018/x446/x744/x073/x709/x551/616",
        "0/000.p/1 ",
        "0/0０0",
    ] {
        assert_eq!(Tile::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_specifications_tree_of_70_000() {
    // 273 full level 0 tiles, one partial of 112; one full level 1 tile, one partial of 17; one partial level 2 tile of 1.
    assert_eq!(Tile::completed(0, 70_000).filter(|tile| tile.level() == 0).count(), 273);
    assert_eq!(Tile::completed(0, 70_000).filter(|tile| tile.level() > 0).collect::<Vec<_>>(), [Tile::full(1, 0)]);
    let partial: Vec<_> = Tile::partial_at(70_000).map(|tile| tile.to_string()).collect();
    assert_eq!(partial, ["0/273.p/112", "1/001.p/17", "2/000.p/1"]);
    assert_eq!(Tile::partial_at(256).map(|tile| tile.to_string()).collect::<Vec<_>>(), ["1/000.p/1"]);
    assert_eq!(Tile::partial_at(0).count(), 0);
    assert_eq!(Tile::partial_at(u64::MAX).count(), 8);
    for (tile, end) in [("0/273.p/112", 70_000), ("0/000", 256), ("1/000", 65_536), ("1/001.p/17", 273 * 256)] {
        assert_eq!(Tile::parse(tile).unwrap().end(), end, "{tile}");
    }
    assert_eq!(Tile::full(7, u64::MAX).end(), u64::MAX);
}

#[test]
fn an_edge_grows_as_the_tree_does() {
    let (mut edge, mut tree, mut tiles) = (Edge::default(), Frontier::default(), BTreeMap::new());
    let leaves: Vec<Hash> = (0..66_000_u64).map(|index| leaf_hash(&index.to_le_bytes())).collect();
    for (size, leaf) in (1..).zip(&leaves) {
        edge.push(*leaf, |tile, hashes| drop(tiles.insert(tile, hashes)));
        tree.push(*leaf);
        if size < 1000 || size % 1009 == 0 || size % 256 < 2 {
            assert_eq!((edge.size(), edge.root()), (size, tree.root()));
            let again =
                Edge::from_tiles(size, |tile| Ok::<_, ()>(edge.tile(tile.level(), tile.index()).unwrap().to_vec()));
            let again = again.unwrap().unwrap();
            assert_eq!(again.root(), tree.root());
        }
    }
    assert_eq!(tiles.keys().copied().collect::<Vec<_>>(), Tile::completed(0, 66_000).collect::<Vec<_>>());
    // Every hash of a level 1 tile is that of a full tile below, by the definition of a subtree.
    for (at, hash) in tiles[&Tile::full(1, 0)].iter().enumerate() {
        let below = &tiles[&Tile::full(0, at as u64)];
        assert_eq!(below[..], leaves[at * 256..][..256]);
        assert_eq!(subtree(below), *hash);
        let halves: [Hash; 2] = std::array::from_fn(|half| subtree(&below[half * 128..][..128]));
        assert_eq!(node_hash(&halves[0], &halves[1]), *hash);
    }
    // Where nodes are found.
    for (level, index) in [(0, 5), (0, 65_535), (3, 100), (7, 3), (8, 200), (9, 60), (15, 1), (16, 0)] {
        let node = place(level, index);
        let tile = tiles.get(&Tile::full(node.level, node.index)).cloned();
        let hashes = tile.unwrap_or_else(|| edge.tile(node.level, node.index).unwrap().to_vec());
        let width = 1_usize << level;
        assert_eq!(subtree(&hashes[node.first..][..node.count]), subtree(&leaves[index as usize * width..][..width]));
    }
}

#[test]
fn a_tiles_bytes_are_its_hashes() {
    let hashes = [[1; 32], [2; 32]];
    let bytes = encode(&hashes);
    assert_eq!(bytes.len(), 64);
    assert_eq!(decode(&bytes, 2), Some(hashes.to_vec()));
    assert_eq!((decode(&bytes, 1), decode(&bytes, 3), decode(&bytes[1..], 2)), (None, None, None));
}
