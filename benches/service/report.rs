//! Figures of all rounds: a table for people, JSON for programs.
//!
//! **Invariant**: a figure has one value per round, in the order of rounds; a ratio is made within a round.

use crate::{Result, machine};
use serde::Serialize;
use std::{fmt, fs, path::Path, time::Duration};

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// Per second: more is better.
    #[serde(rename = "1/s")]
    PerSecond,
    /// Microseconds: less is better.
    #[serde(rename = "µs")]
    Micros,
    /// Ours to the baseline: more is better.
    #[serde(rename = "ratio")]
    Ratio,
}

#[derive(Serialize)]
struct Figure {
    name: &'static str,
    unit: Unit,
    min: f64,
    median: f64,
    max: f64,
    runs: Vec<f64>,
}

impl Figure {
    fn of(name: &'static str, unit: Unit, runs: Vec<f64>) -> Self {
        let mut figure = Self { name, unit, min: f64::NAN, median: f64::NAN, max: f64::NAN, runs };
        figure.summarize();
        figure
    }

    fn summarize(&mut self) {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        if let (Some(min), Some(max)) = (sorted.first(), sorted.last()) {
            (self.min, self.max) = (*min, *max);
            self.median = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
        }
    }
}

/// See the module.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: machine::Machine,
    commit: String,
    date: String,
    milliseconds_per_run: u128,
    figures: Vec<Figure>,
    ratios: Vec<Figure>,
}

impl Report {
    /// An empty one, of measurements of this length.
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            machine: machine::Machine::this(),
            commit: machine::commit(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            milliseconds_per_run: length.as_millis(),
            figures: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// Adds a round's value.
    pub(crate) fn add(&mut self, name: &'static str, unit: Unit, value: f64) {
        match self.figures.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => {
                figure.runs.push(value);
                figure.summarize();
            }
            None => self.figures.push(Figure::of(name, unit, vec![value])),
        }
    }

    /// Adds one figure ÷ another, round by round.
    pub(crate) fn ratio(&mut self, name: &'static str, ours: &str, baseline: &str) {
        let runs = self.runs(ours).zip(self.runs(baseline)).map(|(ours, baseline)| ours / baseline).collect();
        self.ratios.push(Figure::of(name, Unit::Ratio, runs));
    }

    /// Adds what `combined` makes of three times, round by round.
    pub(crate) fn combine(&mut self, name: &'static str, of: [&str; 3], combined: impl Fn([f64; 3]) -> f64) {
        let [a, b, c] = of.map(|name| self.runs(name));
        let runs = a.zip(b).zip(c).map(|((a, b), c)| combined([a, b, c])).collect();
        self.ratios.push(Figure::of(name, Unit::Micros, runs));
    }

    fn runs(&self, name: &str) -> impl Iterator<Item = f64> {
        self.figures.iter().filter(move |figure| figure.name == name).flat_map(|figure| figure.runs.iter().copied())
    }

    /// Writes all of it as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\ncommit {}, {}\n", self.machine, self.commit, self.date)?;
        writeln!(f, "{:56}{:>12}{:>12}{:>12}", "", "min", "median", "max")?;
        for Figure { name, unit, min, median, max, .. } in self.figures.iter().chain(&self.ratios) {
            let (decimals, unit) = match unit {
                Unit::PerSecond => (0, "/s"),
                Unit::Micros => (1, "µs"),
                Unit::Ratio => (3, ""),
            };
            writeln!(f, "{name:56}{min:>12.decimals$}{median:>12.decimals$}{max:>12.decimals$} {unit}")?;
        }
        Ok(())
    }
}
