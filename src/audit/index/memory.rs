//! Where the terms of one segment's records stand, in memory: the open segment's, and a closed one's until its file is
//! written.

use super::{
    postings::{BLOCK, Block, Damaged, Postings},
    segment::Reader,
    terms,
};
use chancery_audit::record::Record;
use prost::Message;
use std::{collections::HashMap, path::Path};

/// Records that have one term, counted from the segment's first. Most terms are of one: request ids.
#[derive(Debug, Clone)]
enum Positions {
    One(u32),
    Many(Vec<u32>),
}

impl Positions {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(position) => std::slice::from_ref(position),
            Self::Many(positions) => positions,
        }
    }

    fn push(&mut self, position: u32) {
        match self {
            // Two texts of one record may have one hash.
            _ if self.as_slice().last() == Some(&position) => {}
            Self::One(first) => *self = Self::Many(vec![*first, position]),
            Self::Many(positions) => positions.push(position),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::audit) struct Memory {
    terms: HashMap<u64, Positions>,
    blocks: Vec<Block>,
    records: u32,
    times: Option<(i64, i64)>,
}

impl Memory {
    /// Takes in the segment's next record, whose frame begins at `offset`.
    pub(in crate::audit) fn add(&mut self, record: &Record, offset: u64) {
        let (position, time) = (self.records, record.time_unix_nanos);
        match self.blocks.last_mut().filter(|_| !position.is_multiple_of(BLOCK)) {
            Some(block) => block.widen(time),
            None => self.blocks.push(Block { offset, first_time: time, last_time: time }),
        }
        self.times = Some(self.times.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        let by_term = &mut self.terms;
        terms::of_record(record, |term| {
            by_term.entry(term).and_modify(|positions| positions.push(position)).or_insert(Positions::One(position));
        });
        self.records += 1;
    }

    /// Reads the first `records` records of a segment.
    ///
    /// # Errors
    /// The I/O error, or what is wrong with the segment.
    pub(super) fn read(path: &Path, first_index: u64, records: u64) -> Result<Self, String> {
        let mut reader = Reader::open(path, first_index)?;
        let mut memory = Self::default();
        reader.each(records, |offset, bytes| {
            let record = Record::decode(bytes).map_err(|error| error.to_string())?;
            memory.add(&record, offset);
            Ok(())
        })?;
        Ok(memory)
    }

    /// Records that were taken in.
    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// Every term with its positions, by hash.
    pub(super) fn sorted(&self) -> Vec<(u64, &[u32])> {
        let mut terms: Vec<_> = self.terms.iter().map(|(term, of)| (*term, of.as_slice())).collect();
        terms.sort_unstable_by_key(|(term, _)| *term);
        terms
    }

    /// Where the blocks of records begin, and their times.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }
}

impl<'m> Postings for &'m Memory {
    type List = &'m [u32];

    fn times(&self) -> Option<(i64, i64)> {
        self.times
    }

    fn list(&mut self, term: u64) -> Result<Option<Self::List>, Damaged> {
        Ok(self.terms.get(&term).map(Positions::as_slice))
    }

    fn block(&mut self, number: u32) -> Result<Block, Damaged> {
        self.blocks.get(number as usize).copied().ok_or(Damaged)
    }
}
