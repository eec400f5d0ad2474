//! Paths of tiles under hostile text: nothing panics, and each has one form.
#![no_main]

use chancery_audit::tiles::Tile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(tile) = Tile::parse(text) {
        assert_eq!(tile.to_string(), text);
        assert!((1..=256).contains(&tile.width()) && tile.level() < 8);
        // It exists in a tree of that size and in none that is smaller.
        let end = tile.end();
        if end < u64::MAX {
            let wide = |size| Tile::at_size(tile.level(), tile.index(), size).map_or(0, |tile| tile.width());
            assert!(wide(end) >= tile.width() && wide(end - 1) < tile.width());
        }
    }
});
