//! docs/key-lifecycle.md shows the table that the service goes by: `UPDATE_DOCS=1 cargo test --test architecture` writes
//! its two generated parts anew.

use crate::source;
use chancery::model::{LIFECYCLE, LifecycleEvent, Stage};
use std::fmt::Write;

const DOCUMENT: &str = "docs/key-lifecycle.md";

/// A stage in few words; the document explains them.
fn cell(stage: Stage) -> String {
    let addition = match stage {
        _ if stage.is_ending() => ", ending",
        Stage::DestroyedCompromised => ", marked",
        _ => "",
    };
    format!("{}{addition}", stage.state())
}

fn table() -> String {
    let events = || LifecycleEvent::ALL.iter();
    let mut text = String::from("|  |");
    events().for_each(|event| write!(text, " {event} |").unwrap());
    text.push_str("\n|---|");
    events().for_each(|_| text.push_str("---|"));
    for stage in Stage::ALL {
        write!(text, "\n| **{}** |", cell(*stage)).unwrap();
        for event in events() {
            write!(text, " {} |", stage.after(*event).map_or("–".into(), cell)).unwrap();
        }
    }
    text
}

fn graph() -> String {
    let mut text =
        String::from("```mermaid\nstateDiagram-v2\n    direction LR\n    [*] --> PreActive: create, rotate\n");
    for stage in Stage::ALL {
        writeln!(text, "    state \"{}\" as {stage:?}", cell(*stage)).unwrap();
    }
    for from in Stage::ALL {
        for to in Stage::ALL {
            let events: Vec<_> = (LIFECYCLE.iter())
                .filter(|(f, _, t)| (f, t) == (from, to))
                .map(|(_, event, _)| event.as_str())
                .collect();
            if !events.is_empty() {
                writeln!(text, "    {from:?} --> {to:?}: {}", events.join(", ")).unwrap();
            }
        }
    }
    text + "```"
}

/// A document with the part of this name replaced.
fn with(document: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), format!("\n<!-- end of {name} -->"));
    let (before, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("{DOCUMENT} has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{DOCUMENT} has no {end}"));
    format!("{before}{begin}\n{content}\n{end}{after}")
}

#[test]
fn the_document_shows_the_table_of_states() {
    let document = source::read(DOCUMENT);
    let expected = with(&with(&document, "table", &table()), "graph", &graph());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/key-lifecycle.md"), &expected).unwrap();
    }
    assert!(document == expected, "generate it anew: UPDATE_DOCS=1 cargo test --test architecture");
}

/// Every transition is in the graph, and nothing else.
#[test]
fn the_graph_has_every_transition() {
    let text = graph();
    let edges: usize = (text.lines().filter(|line| line.contains(" --> ") && !line.contains("[*]")))
        .map(|line| line.split_once(": ").unwrap().1.split(", ").count())
        .sum();
    assert_eq!(edges, LIFECYCLE.len());
}
