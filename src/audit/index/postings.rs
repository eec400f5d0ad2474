//! Which records of a segment have all of some terms.
//!
//! **Invariants**: no record that has them is left out. Each call does a bounded amount of work and says where it
//! stopped.

/// Where every so many records stand in the segment is known, and between which times they were made.
pub(super) const BLOCK: u32 = 32;

/// Positions found at a time.
const MOST: usize = 256;

/// The file is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

/// [`BLOCK`] records after one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Where its first frame begins in the segment.
    pub(super) offset: u64,
    /// The earliest time of its records, nanoseconds since the Unix epoch: clocks may be set back.
    pub(super) first_time: i64,
    /// The latest.
    pub(super) last_time: i64,
}

impl Block {
    pub(super) fn widen(&mut self, time: i64) {
        self.first_time = self.first_time.min(time);
        self.last_time = self.last_time.max(time);
    }
}

/// The positions of one term: growing numbers of records, counted from the segment's first.
pub(super) trait List {
    /// How many there are.
    fn count(&self) -> u32;
    /// The nth.
    fn at(&mut self, n: u32) -> Result<u32, Damaged>;
}

impl List for &[u32] {
    fn count(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn at(&mut self, n: u32) -> Result<u32, Damaged> {
        self.get(n as usize).copied().ok_or(Damaged)
    }
}

/// What is known of a segment.
pub(super) trait Postings {
    /// See [`List`].
    type List: List;
    /// The earliest and the latest time of its records.
    fn times(&self) -> Option<(i64, i64)>;
    /// Records with this term.
    fn list(&mut self, term: u64) -> Result<Option<Self::List>, Damaged>;
    /// The nth block.
    fn block(&mut self, number: u32) -> Result<Block, Damaged>;
}

/// What is looked for in a segment.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// All of these.
    pub(super) terms: Vec<u64>,
    /// From the last record to the first.
    pub(super) newest_first: bool,
    /// From then on, nanoseconds since the Unix epoch.
    pub(super) since: i64,
    /// Before then, if that is not the end of time.
    pub(super) until: Option<i64>,
}

impl Wanted {
    /// Whether a record may be from between these times.
    pub(super) fn overlaps(&self, first: i64, last: i64) -> bool {
        last >= self.since && self.until.is_none_or(|until| first < until)
    }
}

/// A record that may be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its number, counted from the segment's first.
    pub(super) position: u32,
    /// Where its block begins in the segment.
    pub(super) block_offset: u64,
}

/// Some candidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    /// Where to go on: from this position, or, newest first, below it. `None`: the segment has no more.
    pub(super) next: Option<u32>,
}

/// A list read in the order that is asked for. Newest first, positions are counted from the far end, so that they grow
/// as well.
struct Cursor<L> {
    list: L,
    newest_first: bool,
    at: u32,
}

/// A position in the order that is asked for, and back.
fn turned(position: u32, newest_first: bool) -> u32 {
    if newest_first { u32::MAX - position } else { position }
}

impl<L: List> Cursor<L> {
    fn value(&mut self, n: u32) -> Result<u32, Damaged> {
        let n = if self.newest_first { self.list.count() - 1 - n } else { n };
        Ok(turned(self.list.at(n)?, self.newest_first))
    }

    /// The first value from `target` on: strides that double, then halves.
    fn seek(&mut self, target: u32) -> Result<Option<u32>, Damaged> {
        let end = self.list.count();
        let (mut low, mut stride) = (self.at, 1);
        let mut high = low;
        while high < end && self.value(high)? < target {
            low = high + 1;
            high = high.saturating_add(stride);
            stride = stride.saturating_mul(2);
        }
        let mut high = high.min(end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.value(middle)? < target { low = middle + 1 } else { high = middle }
        }
        self.at = low;
        if low < end { self.value(low).map(Some) } else { Ok(None) }
    }
}

/// Candidates from a position on (newest first: below it), until there are [`MOST`] or `steps` are used up.
///
/// # Errors
/// [`Damaged`]: the answer would not be whole.
pub(super) fn find<P: Postings>(
    postings: &mut P,
    wanted: &Wanted,
    from: u32,
    steps: &mut u32,
) -> Result<Found, Damaged> {
    let mut found = Found::default();
    let newest_first = wanted.newest_first;
    if postings.times().is_none_or(|(first, last)| !wanted.overlaps(first, last)) {
        return Ok(found);
    }
    // Below a position begins one before it.
    let Some(first) = (if newest_first { from.checked_sub(1) } else { Some(from) }) else { return Ok(found) };
    let mut cursors = Vec::with_capacity(wanted.terms.len());
    for term in &wanted.terms {
        let Some(list) = postings.list(*term)? else { return Ok(found) };
        cursors.push(Cursor { list, newest_first, at: 0 });
    }
    // The rarest leads.
    cursors.sort_by_key(|cursor| cursor.list.count());
    let mut target = turned(first, newest_first);
    let go_on = |target| if newest_first { turned(target, true) + 1 } else { target };
    loop {
        if *steps == 0 || found.candidates.len() == MOST {
            found.next = Some(go_on(target));
            return Ok(found);
        }
        *steps -= 1;
        let Some(agreed) = agree(&mut cursors, &mut target)? else { return Ok(found) };
        if !agreed {
            continue;
        }
        let position = turned(target, newest_first);
        let number = position / BLOCK;
        let block = postings.block(number)?;
        let next = if wanted.overlaps(block.first_time, block.last_time) {
            found.candidates.push(Candidate { position, block_offset: block.offset });
            target.checked_add(1)
        } else {
            // Past all of the block.
            let last = if newest_first { number * BLOCK } else { number * BLOCK + (BLOCK - 1) };
            turned(last, newest_first).checked_add(1)
        };
        let Some(next) = next else { return Ok(found) };
        target = next;
    }
}

/// Moves every cursor to `target` or past it: whether all stand at `target`, which otherwise is the next that can be.
/// `None`: one of them ended.
fn agree<L: List>(cursors: &mut [Cursor<L>], target: &mut u32) -> Result<Option<bool>, Damaged> {
    let mut agreed = true;
    for cursor in cursors {
        let Some(value) = cursor.seek(*target)? else { return Ok(None) };
        if value != *target {
            (*target, agreed) = (value, false);
        }
    }
    Ok(Some(agreed))
}
