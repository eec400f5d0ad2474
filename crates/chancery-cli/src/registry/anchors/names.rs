//! The names that an anchor may give a role.

use chancery_api::v1::NamePattern;
use std::fmt;

/// `--peer`, `--orderer` and `--client`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Names {
    /// Names that it may make peer; * stands for any characters; may be given again
    #[arg(long, value_name = "PATTERN")]
    peer: Vec<String>,
    /// The same for orderers
    #[arg(long, value_name = "PATTERN")]
    orderer: Vec<String>,
    /// The same for clients
    #[arg(long, value_name = "PATTERN")]
    client: Vec<String>,
}

impl Names {
    /// As the API has them.
    pub(super) fn patterns(&self) -> Vec<NamePattern> {
        let lists = [("peer", &self.peer), ("orderer", &self.orderer), ("client", &self.client)];
        let pattern = |(role, list): (&str, &Vec<String>)| -> Vec<NamePattern> {
            list.iter().map(|pattern| NamePattern { role: role.to_owned(), pattern: pattern.clone() }).collect()
        };
        lists.into_iter().flat_map(pattern).collect()
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(&self.patterns()))
    }
}

/// Who may be named what, e.g. `peer: peer*, p; client: *`.
pub(super) fn words(patterns: &[NamePattern]) -> String {
    let mut words = String::new();
    let mut last = None;
    for NamePattern { role, pattern } in patterns {
        let separator = match last.replace(role) {
            Some(before) if before == role => ", ".to_owned(),
            Some(_) => format!("; {role}: "),
            None => format!("{role}: "),
        };
        words += &separator;
        words += pattern;
    }
    if words.is_empty() { "nobody".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_said_by_role() {
        let names = Names { peer: vec!["peer*".into(), "p".into()], orderer: Vec::new(), client: vec!["*".into()] };
        assert_eq!(names.to_string(), "peer: peer*, p; client: *");
        assert_eq!(Names { peer: Vec::new(), client: Vec::new(), ..names }.to_string(), "nobody");
    }
}
