//! `--anchor FILE`, each followed by the names that this one may give: options whose order counts.

use super::certificate;
use crate::failure::CliError;
use chancery_api::v1::{NamePattern, NewTrustAnchor};
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, error::ErrorKind, value_parser};
use std::path::PathBuf;

/// The roles that a certificate gives by itself.
const ROLES: [(&str, &str, &str); 3] = [
    ("peer", "anchor-peer", "Names that the anchor before it may make peer; * stands for any characters"),
    ("orderer", "anchor-orderer", "The same for orderers"),
    ("client", "anchor-client", "The same for clients"),
];

/// Anchors of an organization to be, at least one.
#[derive(Debug, Clone)]
pub(super) struct NewAnchors(Vec<(PathBuf, Vec<NamePattern>)>);

impl NewAnchors {
    /// Reads the certificates.
    pub(super) fn read(&self) -> Result<Vec<NewTrustAnchor>, CliError> {
        let read = |(path, patterns): &(PathBuf, Vec<NamePattern>)| {
            Ok(NewTrustAnchor { certificate: certificate::read(path)?.der, patterns: patterns.clone() })
        };
        self.0.iter().map(read).collect()
    }
}

impl clap::Args for NewAnchors {
    fn augment_args(command: Command) -> Command {
        let anchor = Arg::new("anchor")
            .long("anchor")
            .value_name("FILE")
            .required(true)
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .help("A CA that vouches for its members: its certificate, PEM or DER; may be given again");
        let pattern = |(_, option, help): (&'static str, &'static str, &'static str)| {
            Arg::new(option).long(option).value_name("PATTERN").action(ArgAction::Append).help(help)
        };
        command.arg(anchor).args(ROLES.map(pattern))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for NewAnchors {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let places = matches.indices_of("anchor").into_iter().flatten();
        let files = matches.get_many::<PathBuf>("anchor").into_iter().flatten();
        let mut anchors: Vec<_> = places.zip(files).map(|(place, file)| (place, file.clone(), Vec::new())).collect();
        for (role, option, _) in ROLES {
            let places = matches.indices_of(option).into_iter().flatten();
            for (place, pattern) in places.zip(matches.get_many::<String>(option).into_iter().flatten()) {
                let Some(anchor) = anchors.iter_mut().rev().find(|(before, ..)| *before < place) else {
                    let problem = format!("--{option} {pattern} belongs behind the --anchor that may give the name\n");
                    return Err(clap::Error::raw(ErrorKind::ValueValidation, problem));
                };
                anchor.2.push(NamePattern { role: role.to_owned(), pattern: pattern.clone() });
            }
        }
        Ok(Self(anchors.into_iter().map(|(_, file, patterns)| (file, patterns)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        anchors: NewAnchors,
    }

    fn parse(line: &str) -> Result<Vec<String>, ErrorKind> {
        let line = Line::try_parse_from(line.split(' ')).map_err(|error| error.kind())?;
        let patterns =
            |patterns: Vec<NamePattern>| patterns.into_iter().map(|given| format!(" {}={}", given.role, given.pattern));
        Ok(line
            .anchors
            .0
            .into_iter()
            .map(|(file, of)| format!("{}{}", file.display(), patterns(of).collect::<String>()))
            .collect())
    }

    #[test]
    fn a_pattern_belongs_to_the_anchor_before_it() {
        let line =
            "create --anchor a.pem --anchor-peer peer* --anchor-client=* --anchor b.pem --anchor-peer x --anchor c.pem";
        assert_eq!(parse(line).unwrap(), ["a.pem peer=peer* client=*", "b.pem peer=x", "c.pem"]);
        assert_eq!(parse("create --anchor-peer x --anchor a.pem").unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse("create").unwrap_err(), ErrorKind::MissingRequiredArgument);
    }
}
