//! What is printed: tables for people, JSON for scripts.
//!
//! **Invariants**
//! * Results go to stdout, everything else to stderr, and nothing is printed that a terminal would obey.
//! * A listing prints page by page: ten thousand rows need no more memory than one page.
//!
//! **Not here**: files (`files`), errors (`failure`).

use crate::failure::CliError;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// For scripts
    Json,
}

fn stdout_failed(source: io::Error) -> CliError {
    CliError::Write { path: "standard output".into(), source }
}

/// Writes bytes to stdout as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(stdout_failed)
}

/// Prints a JSON value.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| CliError::Internal(error.to_string()))?;
    text.push(b'\n');
    bytes(&text)
}

/// Prints lines of name and value.
pub(crate) fn fields(fields: &[(&str, String)]) -> Result<(), CliError> {
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let text: String = fields.iter().map(|(name, value)| format!("{name:width$}  {}\n", printable(value))).collect();
    bytes(text.as_bytes())
}

/// Says what was done; on stderr where the result itself goes to stdout.
pub(crate) fn summary(result_on_stdout: bool, line: &str) -> Result<(), CliError> {
    let line = printable(line);
    if result_on_stdout {
        complain(&line);
        return Ok(());
    }
    bytes(format!("{line}\n").as_bytes())
}

/// Writes a line to stderr.
pub(crate) fn complain(line: &str) {
    // There is no one left to tell if stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The text with control characters escaped: what others named must not move the reader's cursor.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Rows that come page by page: columns in a table, or one JSON array.
pub(crate) struct Listing<const N: usize> {
    form: Output,
    header: [&'static str; N],
    /// Grown by every page, so that a column never becomes narrower further down.
    widths: [usize; N],
    rows: u64,
    progress: ProgressBar,
}

impl<const N: usize> Listing<N> {
    /// A listing with these columns.
    pub(crate) fn new(form: Output, header: [&'static str; N]) -> Self {
        // Rows on a terminal show progress by themselves.
        let progress = if io::stdout().is_terminal() { ProgressBar::hidden() } else { spinner() };
        Self { form, header, widths: header.map(str::len), rows: 0, progress }
    }

    /// How many rows were printed.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Prints a page: of each row its JSON and its cells.
    pub(crate) fn page(&mut self, rows: impl Iterator<Item = (Value, [String; N])>) -> Result<(), CliError> {
        let text = match self.form {
            Output::Json => self.json_page(rows),
            Output::Table => self.table_page(rows),
        };
        self.progress.set_message(format!("{} rows", self.rows));
        bytes(text.as_bytes())
    }

    fn json_page(&mut self, rows: impl Iterator<Item = (Value, [String; N])>) -> String {
        let mut text = String::new();
        for (value, _) in rows {
            text += if self.rows == 0 { "[\n" } else { ",\n" };
            text += &value.to_string();
            self.rows += 1;
        }
        text
    }

    fn table_page(&mut self, rows: impl Iterator<Item = (Value, [String; N])>) -> String {
        let mut page = Vec::new();
        for (_, cells) in rows {
            let cells = cells.map(|cell| printable(&cell).into_owned());
            for (width, cell) in self.widths.iter_mut().zip(&cells) {
                *width = (*width).max(cell.chars().count());
            }
            page.push(cells);
        }
        let mut text = String::new();
        if self.rows == 0 && !page.is_empty() {
            text += &self.line(&self.header.map(str::to_uppercase));
        }
        self.rows += page.len() as u64;
        for cells in &page {
            text += &self.line(cells);
        }
        text
    }

    fn line(&self, cells: &[String; N]) -> String {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(self.widths) {
            line += &format!("{cell:width$}  ");
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }

    /// Ends the listing; without rows it says so.
    pub(crate) fn finish(self, nothing: &str) -> Result<(), CliError> {
        self.progress.finish_and_clear();
        match (self.form, self.rows) {
            (Output::Json, 0) => bytes(b"[]\n"),
            (Output::Json, _) => bytes(b"\n]\n"),
            (Output::Table, 0) => {
                complain(nothing);
                Ok(())
            }
            (Output::Table, _) => Ok(()),
        }
    }
}

/// Activity of unknown length, on stderr if that is a terminal.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}

/// Progress over bytes, on stderr if that is a terminal.
pub(crate) fn byte_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_finish(ProgressFinish::AndClear);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}") {
        bar.set_style(style);
    }
    bar
}

/// Whether a file argument means stdin or stdout.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(n: u64, name: &str) -> (Value, [String; 2]) {
        (json!({ "n": n, "name": name }), [n.to_string(), name.to_owned()])
    }

    #[test]
    fn table_has_one_header_and_columns_only_grow() {
        let mut listing = Listing::new(Output::Table, ["n", "name"]);
        let first = listing.table_page([row(1, "a"), row(200, "b")].into_iter());
        let second = listing.table_page([row(3, "c")].into_iter());
        assert_eq!(first, "N    NAME\n1    a\n200  b\n");
        assert_eq!(second, "3    c\n");
    }

    #[test]
    fn json_pages_make_one_array() {
        let mut listing = Listing::new(Output::Json, ["n", "name"]);
        let text = listing.json_page([row(1, "a")].into_iter()) + &listing.json_page([row(2, "b")].into_iter()) + "\n]";
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed, json!([{ "n": 1, "name": "a" }, { "n": 2, "name": "b" }]));
    }

    #[test]
    fn terminal_escapes_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("plain ünïcode"), "plain ünïcode");
    }
}
