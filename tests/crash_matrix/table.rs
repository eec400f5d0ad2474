//! What was tried, how many times, and what came of it: for people and as JSON.

use crate::plan::Plan;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _};

#[derive(Default, Clone, Copy)]
pub struct Tally {
    pub cycles: u64,
    /// Cycles that were killed where it was planned; the others a moment later, by a signal.
    pub reached: u64,
    /// Records or signatures that had been released and were found again.
    pub released: u64,
    /// Recoveries that cut a torn tail.
    pub torn: u64,
    /// Cycles after which something was wrong. The first ends the matrix.
    pub lost: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.cycles += other.cycles;
        self.reached += other.reached;
        self.released += other.released;
        self.torn += other.torn;
        self.lost += other.lost;
    }
}

#[derive(Default)]
pub struct Table(BTreeMap<(&'static str, &'static str, &'static str, &'static str), Tally>);

impl Table {
    pub fn add(&mut self, level: &'static str, plan: &Plan, tally: Tally) {
        self.0.entry((level, plan.point.name, plan.lost(), plan.phase())).or_default().add(tally);
    }

    pub fn total(&self, level: Option<&str>) -> Tally {
        let mut total = Tally::default();
        let chosen = self.0.iter().filter(|((of, ..), _)| level.is_none_or(|level| level == *of));
        chosen.for_each(|(_, tally)| total.add(*tally));
        total
    }

    /// A line for each level, point and kind of loss.
    pub fn text(&self) -> String {
        let mut lines: BTreeMap<_, Tally> = BTreeMap::new();
        for ((level, point, lost, _), tally) in &self.0 {
            lines.entry((level, point, lost)).or_default().add(*tally);
        }
        let mut text = format!(
            "{:<8} {:<22} {:<30} {:>6} {:>8} {:>9} {:>6} {:>5}\n",
            "level", "killed at", "what is lost", "times", "reached", "released", "torn", "lost"
        );
        let mut line = |level: &str, point: &str, lost: &str, tally: &Tally| {
            let Tally { cycles, reached, released, torn, lost: wrong } = tally;
            let _ = writeln!(
                text,
                "{level:<8} {point:<22} {lost:<30} {cycles:>6} {reached:>8} {released:>9} {torn:>6} {wrong:>5}"
            );
        };
        lines.iter().for_each(|((level, point, lost), tally)| line(level, point, lost, tally));
        line("all", "", "", &self.total(None));
        text
    }

    pub fn json(&self, seed: u64, complete: bool) -> Value {
        let rows = self.0.iter().map(|((level, point, lost, phase), tally)| {
            json!({
                "level": level, "point": point, "phase": phase, "loss": lost, "cycles": tally.cycles,
                "reached": tally.reached, "released": tally.released, "torn_tails": tally.torn, "lost": tally.lost,
            })
        });
        let total = self.total(None);
        json!({
            "seed": seed,
            "complete": complete,
            "kills": total.cycles,
            "kills_of_the_service": self.total(Some("service")).cycles,
            "released": total.released,
            "lost": total.lost,
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}
