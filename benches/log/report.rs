//! Figures by the log's size: a table for people, JSON for programs.

use crate::{Result, machine};
use serde::Serialize;
use std::{fmt, fs, path::Path};

/// One figure at each size, in the order of sizes.
#[derive(Serialize)]
struct Figure {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
    /// The last to the first.
    ratio: f64,
}

/// See the module.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: machine::Machine,
    commit: String,
    date: String,
    records: Vec<u64>,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (machine, commit) = (machine::Machine::this(), machine::commit());
        Self { machine, commit, date, records: Vec::new(), figures: Vec::new() }
    }

    /// What comes next is of a log of so many records.
    pub(crate) fn size(&mut self, records: u64) {
        self.records.push(records);
    }

    pub(crate) fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.figures.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => {
                figure.values.push(value);
                figure.ratio = value / figure.values[0];
            }
            None => self.figures.push(Figure { name: name.into(), unit, values: vec![value], ratio: 1.0 }),
        }
    }

    /// Writes all of it as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\ncommit {}, {}\n", self.machine, self.commit, self.date)?;
        write!(f, "{:44}", "records")?;
        self.records.iter().try_for_each(|records| write!(f, "{records:>11}"))?;
        writeln!(f, "{:>10}", "last÷first")?;
        for Figure { name, unit, values, ratio } in &self.figures {
            write!(f, "{:44}", format!("{name}, {unit}"))?;
            values.iter().try_for_each(|value| write!(f, "{value:>11.1}"))?;
            writeln!(f, "{ratio:>10.2}")?;
        }
        Ok(())
    }
}
