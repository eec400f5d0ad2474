//! Witness policies: whose cosignatures a checkpoint must have (a subset of the C2SP tlog-policy text).
//!
//! **Invariants**
//! * A name stands for one witness or group, a key for one witness; lines refer to lines above, so nothing is circular.
//! * Each name is a member of one group at most: no cosignature counts twice.
//! * What is not understood is refused, with its line.
//!
//! **Not here**: `log` lines (the log's key is given apart), URLs (witnesses come to the log), files.

use std::collections::{HashMap, HashSet};
use std::fmt;

use thiserror::Error;

use super::{Checkpoint, CheckpointError, Cosignature, KeyError, VerifierKey, WitnessKey};

/// The longest policy that is read, in bytes.
pub const MAX_POLICY: usize = 1 << 16;

/// Most witnesses, and most groups: a line of each witness must fit into a note beside the log's own.
pub const MAX_WITNESSES: usize = 64;

/// Whose cosignatures are required.
#[derive(Clone, Debug)]
pub struct WitnessPolicy {
    witnesses: Vec<Witness>,
    /// In the order of their lines: members stand before their group.
    groups: Vec<Group>,
    quorum: Option<Place>,
}

/// A witness as the policy names it.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Its name in the policy: its organization's id.
    pub name: String,
    /// Its key.
    pub key: WitnessKey,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The position in `witnesses`.
    Witness(usize),
    /// The position in `groups`.
    Group(usize),
}

#[derive(Clone, Debug)]
struct Group {
    least: usize,
    members: Vec<Place>,
}

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct PolicyError {
    /// Counted from 1; one past the last where something is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: PolicyProblem,
}

/// See [`PolicyError`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyProblem {
    /// The first word is none that we know.
    #[error("{0:?} is not understood here: lines begin with `witness`, `group`, `quorum` or #")]
    Keyword(String),
    /// The line has too few or too many words.
    #[error("the line must be `{0}`")]
    Form(&'static str),
    /// A control character.
    #[error("it has a control character")]
    Control,
    /// A name can't be one.
    #[error("{0:?} can't be a name: `none` has a meaning of its own")]
    Name(String),
    /// The name was defined above.
    #[error("the name {0:?} was defined above")]
    Defined(String),
    /// The name was not defined above.
    #[error("{0:?} was not defined above")]
    Undefined(String),
    /// A member of two groups, or twice of one.
    #[error("{0:?} is a member of a group already: each may count once")]
    Member(String),
    /// The witness's key is none.
    #[error("the witness's key: {0}")]
    Key(KeyError),
    /// Two witnesses with one key.
    #[error("another witness above has the same key")]
    SameKey,
    /// The group's threshold.
    #[error("the group needs {found:?} of its {members} members: give `any`, `all` or a number from 1 to {members}")]
    Threshold {
        /// What it says.
        found: String,
        /// How many members it has.
        members: usize,
    },
    /// More than one quorum.
    #[error("there is a `quorum` line above: only one may be")]
    SecondQuorum,
    /// No quorum.
    #[error("there is no `quorum` line: end with `quorum NAME`, or `quorum none`")]
    NoQuorum,
    /// Over a limit.
    #[error("at most {MAX_WITNESSES} witnesses, {MAX_WITNESSES} groups and {MAX_POLICY} bytes are read")]
    TooLong,
}

/// A checkpoint that its log signed, and who cosigned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// For each witness of the policy, in its order, its newest cosignature.
    pub cosignatures: Vec<Option<Cosignature>>,
    /// Whether the policy's quorum is among them.
    pub reached: bool,
}

/// How far an entry of a log is vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The log's own word.
    Logged,
    /// That, and these witnesses'.
    Witnessed {
        /// How many cosigned.
        by: usize,
        /// How many the policy has.
        of: usize,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logged => f.write_str("logged"),
            Self::Witnessed { by, of } => write!(f, "witnessed {by} of {of}"),
        }
    }
}

impl Cosigned {
    /// What the cosignatures amount to, the quorum being reached or not.
    pub fn verdict(&self) -> Verdict {
        Verdict::Witnessed { by: self.cosignatures.iter().flatten().count(), of: self.cosignatures.len() }
    }
}

impl WitnessPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`], the first.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut reader = Reader::default();
        let mut line = 0;
        for (at, words) in text.split('\n').enumerate() {
            line = at + 1;
            let problem = |problem| PolicyError { line, problem };
            if text.len() > MAX_POLICY {
                return Err(problem(PolicyProblem::TooLong));
            }
            reader.line(words).map_err(problem)?;
        }
        match reader.quorum {
            Some(quorum) => Ok(Self { witnesses: reader.witnesses, groups: reader.groups, quorum }),
            None => Err(PolicyError { line: line + 1, problem: PolicyProblem::NoQuorum }),
        }
    }

    /// The witnesses, in the order of their lines.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether no cosignature is required at all.
    pub fn is_none(&self) -> bool {
        self.quorum.is_none()
    }

    /// Whether those witnesses whose places are true suffice.
    pub fn is_reached(&self, cosigned: &[bool]) -> bool {
        self.fold(
            |place| usize::from(cosigned.get(place).copied().unwrap_or(false)),
            |least, members| usize::from(members.iter().sum::<usize>() >= least),
        ) == Some(1)
            || self.is_none()
    }

    /// The fewest cosignatures that can suffice.
    pub fn least(&self) -> usize {
        let sum_of_least = |least: usize, members: &mut [usize]| {
            members.sort_unstable();
            members.iter().take(least).sum()
        };
        self.fold(|_| 1, sum_of_least).unwrap_or(0)
    }

    /// The quorum's value, from those of witnesses, and of groups by their threshold and their members'.
    fn fold(&self, witness: impl Fn(usize) -> usize, group: impl Fn(usize, &mut [usize]) -> usize) -> Option<usize> {
        let mut values: Vec<usize> = Vec::with_capacity(self.groups.len());
        for Group { least, members } in &self.groups {
            let mut of: Vec<_> = members.iter().map(|member| member.value(&values, &witness)).collect();
            values.push(group(*least, &mut of));
        }
        self.quorum.map(|quorum| quorum.value(&values, &witness))
    }

    /// Opens a note that `log` signed, and tells who of the policy's witnesses cosigned it.
    ///
    /// # Errors
    /// [`CheckpointError`], also where a line names a witness and is not that witness's.
    pub fn open_note(&self, log: &VerifierKey, note: &str) -> Result<Cosigned, CheckpointError> {
        let checkpoint = log.open_note(note)?;
        let cosignatures: Vec<_> =
            self.witnesses.iter().map(|witness| witness.key.find(note)).collect::<Result<_, _>>()?;
        let places: Vec<_> = cosignatures.iter().map(Option::is_some).collect();
        Ok(Cosigned { checkpoint, reached: self.is_reached(&places), cosignatures })
    }
}

impl Place {
    fn value(self, groups: &[usize], witness: &impl Fn(usize) -> usize) -> usize {
        match self {
            Self::Witness(place) => witness(place),
            // Members stand above their group, so their values are known.
            Self::Group(place) => groups.get(place).copied().unwrap_or(0),
        }
    }
}

/// What the lines so far define.
#[derive(Default)]
struct Reader<'t> {
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    names: HashMap<&'t str, Place>,
    members: HashSet<&'t str>,
    /// `Some(None)`: none is required.
    quorum: Option<Option<Place>>,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: &'t str) -> Result<(), PolicyProblem> {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(PolicyProblem::Control);
        }
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { return Ok(()) };
        let words: Vec<_> = words.collect();
        match (first, words.as_slice()) {
            (comment, _) if comment.starts_with('#') => Ok(()),
            ("witness", &[name, key]) => self.witness(name, key),
            ("witness", _) => Err(PolicyProblem::Form("witness NAME VKEY")),
            ("group", &[name, least, ref members @ ..]) if !members.is_empty() => self.group(name, least, members),
            ("group", _) => Err(PolicyProblem::Form("group NAME any|all|K MEMBER…")),
            ("quorum", &[name]) => self.end(name),
            ("quorum", _) => Err(PolicyProblem::Form("quorum NAME")),
            (other, _) => Err(PolicyProblem::Keyword(other.to_owned())),
        }
    }

    fn define(&mut self, name: &'t str, place: Place) -> Result<(), PolicyProblem> {
        if name == "none" {
            return Err(PolicyProblem::Name(name.to_owned()));
        }
        match self.names.insert(name, place) {
            None => Ok(()),
            Some(_) => Err(PolicyProblem::Defined(name.to_owned())),
        }
    }

    fn defined(&self, name: &str) -> Result<Place, PolicyProblem> {
        self.names.get(name).copied().ok_or_else(|| PolicyProblem::Undefined(name.to_owned()))
    }

    fn witness(&mut self, name: &'t str, key: &str) -> Result<(), PolicyProblem> {
        let key: WitnessKey = key.parse().map_err(PolicyProblem::Key)?;
        if self.witnesses.iter().any(|known| known.key.public() == key.public()) {
            return Err(PolicyProblem::SameKey);
        }
        if self.witnesses.len() == MAX_WITNESSES {
            return Err(PolicyProblem::TooLong);
        }
        self.define(name, Place::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: name.to_owned(), key });
        Ok(())
    }

    fn group(&mut self, name: &'t str, least: &str, members: &[&'t str]) -> Result<(), PolicyProblem> {
        let count = members.len();
        let decimal = least.bytes().all(|b| b.is_ascii_digit()) && !least.starts_with('0');
        let number = match least {
            "any" => Some(1),
            "all" => Some(count),
            number if decimal => number.parse().ok().filter(|number| *number <= count),
            _ => None,
        };
        let least = number.ok_or_else(|| PolicyProblem::Threshold { found: least.to_owned(), members: count })?;
        let places = members.iter().map(|member| self.defined(member)).collect::<Result<_, _>>()?;
        for member in members {
            if !self.members.insert(member) {
                return Err(PolicyProblem::Member((*member).to_owned()));
            }
        }
        if self.groups.len() == MAX_WITNESSES {
            return Err(PolicyProblem::TooLong);
        }
        self.define(name, Place::Group(self.groups.len()))?;
        self.groups.push(Group { least, members: places });
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), PolicyProblem> {
        if self.quorum.is_some() {
            return Err(PolicyProblem::SecondQuorum);
        }
        self.quorum = Some(if name == "none" { None } else { Some(self.defined(name)?) });
        Ok(())
    }
}
