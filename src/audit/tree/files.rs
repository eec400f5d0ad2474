//! Tiles as files, under the paths of tlog-tiles.
//!
//! **Invariant**: a tile's name holds it whole, or what a loss of power left of it, which the next start replaces.

use chancery_audit::{
    merkle::Hash,
    segment::TEMPORARY_SUFFIX,
    tiles::{self, Tile},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct TileFiles {
    directory: PathBuf,
}

impl TileFiles {
    /// Those in `directory`, which is made if it is missing: tiles can be made again.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.to_owned() })
    }

    fn path(&self, tile: Tile) -> PathBuf {
        self.directory.join(tile.to_string())
    }

    /// A tile's hashes.
    pub(super) fn read(&self, tile: Tile) -> io::Result<Arc<[Hash]>> {
        let bytes = fs::read(self.path(tile))?;
        let hashes = tiles::decode(&bytes, tile.width());
        hashes
            .map(Into::into)
            .ok_or_else(|| io::Error::other(format!("its file does not hold {} hashes", tile.width())))
    }

    /// Puts a tile in place as a whole. It is not durable yet.
    pub(super) fn write(&self, tile: Tile, hashes: &[Hash]) -> io::Result<()> {
        let path = self.path(tile);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut temporary = path.clone().into_os_string();
        temporary.push(TEMPORARY_SUFFIX);
        fs::write(&temporary, tiles::encode(hashes))?;
        fs::rename(temporary, path)
    }

    /// Makes durable the tiles that were completed by records `from` to `size` - 1, and the partial ones of `size`.
    pub(super) fn sync(&self, from: u64, size: u64) -> io::Result<()> {
        let mut directories = BTreeSet::new();
        for tile in Tile::completed(from, size).chain(Tile::partial_at(size)) {
            let path = self.path(tile);
            File::open(&path)?.sync_all()?;
            let above = path.ancestors().skip(1).take_while(|above| above.starts_with(&self.directory));
            directories.extend(above.map(Path::to_owned));
        }
        directories.extend(self.directory.parent().map(Path::to_owned));
        directories.iter().try_for_each(|directory| File::open(directory)?.sync_all())
    }
}
