//! The enclave as a witness: which operations of each of its processes the log shows, and whether they are those that it
//! stated (docs/audit-log.md §9).
//!
//! **Invariants**
//! * An operation number enters once per process.
//! * Each process's chain is computed in the order of its numbers, whatever the order of the records, and every statement
//!   equals it wherever the operations up to the statement are known. After a hole it goes on from the next statement.
//! * Memory is bounded per process: no more than [`AHEAD`] operations wait for a smaller number.
//!
//! **Not here**: statements' signatures (`records`), whether a commitment is that of the record's own signature
//! (chancery-verifier).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::VerifyError;
use super::error::Fault;
use super::numbers::{Gap, Numbers};
use super::place::Place;
use super::report::{EnclaveProcess, Hole, Report};
use crate::merkle::Hash;
use crate::operations::{Chain, MOST_UNSHOWN};
use crate::record::{Kind, Outcome, Record, Statement};
use crate::snapshot::Snapshot;

/// Operations that may wait for one with a smaller number. After that its place in the chain is passed over.
const AHEAD: usize = 1 << 16;

/// So many operations at most can lie beyond the last statement of a process: it goes on only when it was shown that the
/// log holds one.
pub const UNSTATED: u64 = MOST_UNSHOWN;

/// What is an error where operations have no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: they are reported.
    Reported,
    /// Those that no crash explains: the process stated them, and later stated once more, so that the service lived on and
    /// had to write their records.
    #[default]
    Explained,
    /// All.
    Never,
}

type Incarnation = [u8; 16];

/// Operations and statements by enclave process.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    processes: HashMap<Incarnation, Process>,
    /// Processes that archived records name: what is left goes on in the middle of their operations.
    begun: HashSet<Incarnation>,
    /// An operation had a commitment: from there on each has.
    committed: bool,
}

#[derive(Clone, Debug)]
struct Process {
    /// Its first record.
    since: Place,
    /// Begun in archived records, and not stated since.
    begun_before: bool,
    /// Operations up to it may be in archived records; the chain is known from there on only.
    archived: u64,
    shown: Numbers<Place>,
    recorded: u64,
    without_commitment: u64,
    /// Of all operations up to the first that is missing.
    chain: Chain,
    /// The last statement that the chain equalled, or from which it goes on: how many operations, and the link.
    base: (u64, Hash),
    /// The chain's links after that.
    links: VecDeque<Hash>,
    /// Operations after one that is missing.
    waiting: BTreeMap<u64, Link>,
    /// Statements that the chain has not reached.
    ahead: VecDeque<Said>,
    last: Option<Said>,
    /// What the last statement but one stated.
    stated_before: u64,
}

/// What the chain takes of an operation.
#[derive(Clone, Debug)]
struct Link {
    version: String,
    mechanism: String,
    commitment: Hash,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    operations: u64,
    link: Hash,
    at: Place,
}

impl Operations {
    /// Of a log whose first records are archived.
    pub(super) fn after(snapshot: &Snapshot) -> Self {
        Self { begun: snapshot.enclaves().collect(), ..Self::default() }
    }

    /// Takes in the operation of a record, if it has one.
    pub(super) fn enter(&mut self, record: &Record, at: Place) -> Result<(), VerifyError> {
        let operation = record.enclave_operation;
        let wrong = |fault| Err(at.error(fault));
        if operation == 0 {
            // Records from before commitments are judged by what they are.
            return if self.committed && releases(record) { wrong(Fault::ReleasedAlone) } else { Ok(()) };
        }
        let Ok(incarnation) = Incarnation::try_from(record.enclave_incarnation.as_slice()) else {
            return wrong(Fault::NoIncarnation);
        };
        let begun = self.begun.contains(&incarnation);
        let process = self.processes.entry(incarnation).or_insert_with(|| Process::new(&incarnation, begun, at));
        if !process.shown.insert(operation, at) {
            return wrong(Fault::OperationRepeated { operation });
        }
        process.recorded += 1;
        let Ok(commitment) = Hash::try_from(record.enclave_commitment.as_slice()) else {
            if self.committed {
                return wrong(Fault::NoCommitment { operation });
            }
            process.without_commitment += 1;
            return Ok(());
        };
        self.committed = true;
        check_form(record).map_err(|fault| at.error(fault))?;
        let known = process.archived < operation && operation <= process.chain.operations();
        if process.without_commitment > 0 || known {
            // The process was older than commitments, or its chain went on without this operation.
            return wrong(Fault::OperationLate { operation });
        }
        process.operation(operation, record, commitment, at)
    }

    /// Takes in a statement that the audit key signed.
    pub(super) fn state(&mut self, statement: &Statement, at: Place) -> Result<(), VerifyError> {
        let lengths = (statement.incarnation.as_slice().try_into(), statement.running_hash.as_slice().try_into());
        let (Ok(incarnation), Ok(link)) = lengths else { return Ok(()) };
        let begun = self.begun.contains(&incarnation);
        let process = self.processes.entry(incarnation).or_insert_with(|| Process::new(&incarnation, begun, at));
        process.statement(Said { operations: statement.operations, link, at })
    }

    /// What the log shows of each process; an error where an operation must have a record, and has none.
    pub(super) fn finish(self, missing: Missing, report: &mut Report) -> Result<(), VerifyError> {
        let mut processes: Vec<_> = self.processes.into_iter().collect();
        processes.sort_unstable_by_key(|(_, process)| process.since);
        let mut first_missing: Option<(Place, Fault)> = None;
        for (incarnation, mut process) in processes {
            process.go_on_after_holes()?;
            let stated = process.last.map_or(0, |last| last.operations);
            let gaps = process.gaps(stated);
            if let Some(wrong) = process.missing(&incarnation, &gaps, missing)
                && first_missing.as_ref().is_none_or(|(at, _)| wrong.0 < *at)
            {
                first_missing = Some(wrong);
            }
            report.without_commitment += process.without_commitment;
            for gap in &gaps {
                report.operation_holes =
                    report.operation_holes.saturating_add((gap.last - gap.first).saturating_add(1));
                report.holes.push(Hole {
                    incarnation,
                    first: gap.first,
                    last: gap.last,
                    after_record: gap.before.map(|at| at.record),
                    before_record: gap.after.map(|at| at.record),
                });
            }
            report.enclaves.push(EnclaveProcess {
                incarnation,
                since_record: process.since.record,
                operations: process.recorded,
                highest: process.shown.highest(),
                stated: process.last.map(|last| last.operations),
                without_commitment: process.without_commitment,
            });
        }
        first_missing.map_or(Ok(()), |(at, fault)| Err(at.error(fault)))
    }
}

/// Whether a record without an operation says what only an operation leads to: a signature, or a use that succeeded.
fn releases(record: &Record) -> bool {
    let succeeded = record.kind == Kind::Outcome as i32 && record.outcome == Outcome::Succeeded as i32;
    !record.signature.is_empty() || succeeded && !record.mechanism.is_empty()
}

/// An operation stands in its outcome only, which says what was done with which version, and has a signature only if it
/// was released.
fn check_form(record: &Record) -> Result<(), Fault> {
    let ended = [Outcome::Succeeded, Outcome::NotPerformed, Outcome::Unknown].map(|outcome| outcome as i32);
    if record.kind != Kind::Outcome as i32 || !ended.contains(&record.outcome) {
        return Err(Fault::OperationOutsideOutcome);
    }
    if record.mechanism.is_empty() {
        return Err(Fault::NoMechanism);
    }
    if !names_version(&record.resource) {
        return Err(Fault::OperationResource { resource: record.resource.clone() });
    }
    if !record.signature.is_empty() && record.outcome != Outcome::Succeeded as i32 {
        return Err(Fault::SignatureOfFailure);
    }
    Ok(())
}

fn names_version(resource: &str) -> bool {
    let mut parts = resource.split('/');
    let mut named = |collection| parts.next() == Some(collection) && parts.next().is_some_and(|id| !id.is_empty());
    named("organizations") && named("keys") && named("versions") && parts.next().is_none()
}

impl Process {
    fn new(incarnation: &Incarnation, begun_before: bool, since: Place) -> Self {
        let chain = Chain::new(incarnation);
        Self {
            since,
            begun_before,
            archived: 0,
            shown: Numbers::default(),
            recorded: 0,
            without_commitment: 0,
            base: (0, *chain.link()),
            chain,
            links: VecDeque::new(),
            waiting: BTreeMap::new(),
            ahead: VecDeque::new(),
            last: None,
            stated_before: 0,
        }
    }

    fn operation(&mut self, number: u64, record: &Record, commitment: Hash, at: Place) -> Result<(), VerifyError> {
        if number <= self.archived {
            return Ok(());
        }
        let since = self.last.map_or(0, |last| last.operations);
        if number.saturating_sub(since) > UNSTATED && !self.begun_before {
            return Err(at.error(Fault::Unstated { operation: number, since }));
        }
        if number == self.chain.operations() + 1 && !self.begun_before {
            self.extend(&record.resource, &record.mechanism, &commitment);
            self.catch_up()?;
        } else {
            let (version, mechanism) = (record.resource.clone(), record.mechanism.clone());
            self.waiting.insert(number, Link { version, mechanism, commitment });
        }
        if self.waiting.len() > AHEAD && !self.ahead.is_empty() {
            self.go_on_after_hole()?;
        }
        Ok(())
    }

    fn extend(&mut self, version: &str, mechanism: &str, commitment: &Hash) {
        self.chain.extend(version, mechanism, commitment);
        self.links.push_back(*self.chain.link());
    }

    fn statement(&mut self, said: Said) -> Result<(), VerifyError> {
        let wrong = |fault| Err(said.at.error(fault));
        if self.without_commitment > 0 {
            return wrong(Fault::StatementWithoutCommitments);
        }
        let since = self.last.map_or(0, |last| last.operations);
        if said.operations.saturating_sub(since) > UNSTATED && !self.begun_before {
            return wrong(Fault::Unstated { operation: said.operations, since });
        }
        if let Some(last) = self.last.replace(said) {
            if last.operations > said.operations {
                return wrong(Fault::StatementBackwards { before: last.operations, now: said.operations });
            }
            if last.operations == said.operations && last.link != said.link {
                return wrong(Fault::StatementLink { operations: said.operations, since: self.base.0 });
            }
            self.stated_before = last.operations;
        }
        self.ahead.push_back(said);
        if self.begun_before {
            self.begun_before = false;
            self.archived = said.operations;
            return self.go_on_after_hole();
        }
        self.settle()
    }

    /// Takes in what waited for the chain.
    fn catch_up(&mut self) -> Result<(), VerifyError> {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() == self.chain.operations() + 1) {
            let Link { version, mechanism, commitment } = entry.remove();
            self.extend(&version, &mechanism, &commitment);
        }
        self.settle()
    }

    /// Compares the statements that the chain has reached.
    fn settle(&mut self) -> Result<(), VerifyError> {
        while let Some(said) = self.ahead.front().copied().filter(|said| said.operations <= self.chain.operations()) {
            self.ahead.pop_front();
            let (base, mut link) = self.base;
            for _ in base..said.operations {
                // The links are those from the base to the chain's end.
                link = self.links.pop_front().unwrap_or(link);
            }
            if link != said.link {
                let fault = Fault::StatementLink { operations: said.operations, since: base };
                return Err(said.at.error(fault));
            }
            self.base = (said.operations, link);
        }
        Ok(())
    }

    /// Goes on from the next statement, whose operations are not all known.
    fn go_on_after_hole(&mut self) -> Result<(), VerifyError> {
        let Some(said) = self.ahead.pop_front() else { return Ok(()) };
        self.chain = Chain::resume(said.operations, said.link);
        self.base = (said.operations, said.link);
        self.links.clear();
        self.waiting = match said.operations.checked_add(1) {
            Some(next) => self.waiting.split_off(&next),
            None => BTreeMap::new(),
        };
        self.catch_up()
    }

    fn go_on_after_holes(&mut self) -> Result<(), VerifyError> {
        while !self.ahead.is_empty() {
            self.go_on_after_hole()?;
        }
        Ok(())
    }

    /// Numbers that are missing, but those that may be in archived records.
    fn gaps(&self, stated: u64) -> Vec<Gap<Place>> {
        let mut gaps = self.shown.gaps(stated);
        if self.begun_before {
            gaps.retain(|gap| gap.before.is_some());
        }
        gaps.retain(|gap| gap.last > self.archived);
        gaps.iter_mut().for_each(|gap| gap.first = gap.first.max(self.archived + 1));
        gaps
    }

    /// The first hole that is an error.
    fn missing(&self, incarnation: &Incarnation, gaps: &[Gap<Place>], missing: Missing) -> Option<(Place, Fault)> {
        let bound = match missing {
            Missing::Reported => 0,
            Missing::Explained => self.stated_before,
            Missing::Never => u64::MAX,
        };
        let gap = gaps.iter().find(|gap| gap.first <= bound)?;
        let at = gap.after.or(self.last.map(|last| last.at)).unwrap_or(self.since);
        let fault = Fault::OperationsMissing {
            incarnation: incarnation.iter().map(|byte| format!("{byte:02x}")).collect(),
            first: gap.first,
            last: gap.last.min(bound),
            after_record: gap.before.map(|at| at.record),
            holes: gaps.iter().filter(|gap| gap.first <= bound).count(),
        };
        Some((at, fault))
    }
}
