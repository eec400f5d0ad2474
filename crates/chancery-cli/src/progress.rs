//! How far long work is, on stderr.
//!
//! **Invariant**: a terminal gets a bar; anything else gets nothing, or a line every few seconds where that was asked for.
//!
//! **Not here**: bytes of a log and rows of a listing (`output`).

use crate::output::complain;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use std::{
    cell::Cell,
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Progress over things that are counted.
pub(crate) struct Progress {
    bar: ProgressBar,
    unit: &'static str,
    /// When the last line was written; without it none is.
    lines: Option<Cell<Instant>>,
}

impl Progress {
    /// Progress to `total`; `forced`: also where stderr is no terminal.
    pub(crate) fn new(total: u64, unit: &'static str, forced: bool) -> Self {
        let bar = ProgressBar::new(total).with_finish(ProgressFinish::AndClear);
        let style = "{wide_bar} {human_pos}/{human_len} {msg} {per_sec} eta {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(unit);
        let lines = (forced && !io::stderr().is_terminal()).then(|| Cell::new(Instant::now()));
        Self { bar, unit, lines }
    }

    /// So many are done.
    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
        if let Some(last) = self.lines.as_ref().filter(|last| last.get().elapsed() >= EVERY) {
            last.set(Instant::now());
            complain(&format!("{done} of {} {}", self.bar.length().unwrap_or(done), self.unit));
        }
    }

    /// So many are done, of so many.
    pub(crate) fn set_of(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.set(done);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
