//! [`PolicySet`]: the base set.

use super::{PolicyError, covering::Covering, parse, source};
use cedar_policy as cedar;
use std::{fmt, path::Path};

/// Policies of every organization, parsed and validated, which do not change.
pub struct PolicySet {
    files: Vec<(String, String)>,
    hash: [u8; 32],
    pub(super) covering: Covering,
}

impl PolicySet {
    /// Reads `schema.cedarschema` and every `*.cedar` file of `directory`; not its subdirectories.
    ///
    /// # Errors
    /// [`PolicyError`] when anything in it can't be used: then nothing is.
    pub fn load(directory: &Path) -> Result<Self, PolicyError> {
        Self::from_files(source::read(directory)?)
    }

    /// From (file name, text), in any order: `schema.cedarschema` and `*.cedar`.
    ///
    /// # Errors
    /// As [`PolicySet::load`].
    pub fn from_files(mut files: Vec<(String, String)>) -> Result<Self, PolicyError> {
        files.sort();
        files.iter().try_for_each(|(name, _)| source::check_name(name))?;
        if let Some(twice) = files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(PolicyError::DuplicateFile { name: twice[0].0.clone() });
        }
        match files.iter().find(|(name, _)| name == source::SCHEMA_FILE) {
            None => return Err(PolicyError::MissingSchema),
            Some((_, text)) if text != source::SCHEMA => return Err(PolicyError::SchemaMismatch),
            Some(_) => {}
        }
        let policies = parse::policies(&files)?;
        Ok(Self::assemble(files, &policies))
    }

    /// The schema and base set of this version, as (file name, text).
    pub fn shipped() -> &'static [(&'static str, &'static str)] {
        source::SHIPPED
    }

    /// What decided, for records: SHA-256 over `chancery policy set v1\n` and, for each file by name, its name and its
    /// text, each preceded by its length in bytes as a 64-bit big-endian number.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// (file name, text), by name.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// How many policies there are.
    pub fn count(&self) -> usize {
        self.covering.count()
    }

    pub(super) fn assemble(files: Vec<(String, String)>, policies: &[cedar::Policy]) -> Self {
        Self { hash: source::hash(&files), files, covering: Covering::new(policies) }
    }
}

/// The files and the hash; not the texts.
impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.files.iter().map(|(name, _)| name).collect::<Vec<_>>();
        f.debug_struct("PolicySet").field("files", &names).field("hash", &self.hash).finish_non_exhaustive()
    }
}
