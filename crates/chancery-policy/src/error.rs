//! Why a policy set was refused.

use std::{fmt, io, path::PathBuf};

/// A policy set that is not used. The one in use before, if any, stays.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The directory or a file in it can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that looks like policy and would not be used.
    #[error("{name} is no policy file: name it NAME.cedar to have it used, or move it out of the directory")]
    UnknownFile {
        /// Its name.
        name: String,
    },
    /// Two files of one name.
    #[error("{name} is given twice: keep one")]
    DuplicateFile {
        /// The name.
        name: String,
    },
    /// The schema is missing.
    #[error("schema.cedarschema is missing: copy it from the policies shipped with this version")]
    MissingSchema,
    /// The schema is not this version's.
    #[error(
        "schema.cedarschema is not the one of this version, which says what the service tells policies: \
         copy the one shipped with this version over it, then check the policies again"
    )]
    SchemaMismatch,
    /// There is no policy.
    #[error("there is no policy, so everything would be denied: add *.cedar files, such as those shipped")]
    Empty,
    /// An organization's policies are too long.
    #[error("the policies have {0} bytes, and an organization may have {max}: take out what is not needed", max = super::OrganizationSet::MAX_BYTES)]
    TooLong(usize),
    /// An organization has too many policies.
    #[error("there are {0} policies, and an organization may have {max}: join some, or take some out", max = super::OrganizationSet::MAX_POLICIES)]
    TooMany(usize),
    /// Policies that do not parse, do not fit the schema, or have no unique `@id`.
    #[error("{}", .0.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Finding>),
}

/// One thing wrong with one policy file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, or what to do.
    pub help: Option<String>,
}

impl Finding {
    /// At byte `offset` of `text`, the content of `file`.
    pub(super) fn at(file: &str, text: &str, offset: usize, message: impl Into<String>, help: Option<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let (lines, last) =
            before.rsplit_once('\n').map_or((0, before), |(lines, last)| (1 + lines.matches('\n').count(), last));
        Self { file: file.to_owned(), line: lines + 1, column: last.chars().count() + 1, message: message.into(), help }
    }
}

/// `FILE:LINE:COLUMN: message (help)`, as compilers write it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, help } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}
