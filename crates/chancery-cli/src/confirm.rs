//! A dangerous command wants the name once more.
//!
//! **Invariants**
//! * Nothing is sent before the name was repeated, by `--confirm` or at the prompt.
//! * Whoever is asked has read what would happen. Only a person at a terminal is asked: a script that lacks `--confirm`
//!   fails instead of waiting.
//!
//! **Not here**: what is dangerous (the service says so, with reason CONFIRMATION_NEEDED), a second officer's approval.

use crate::{
    failure::CliError,
    output::{self, printable},
};
use std::io::{self, BufRead, IsTerminal as _};

/// `--confirm`, for a command to flatten into its arguments.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Confirm {
    /// The name once more, its last part or in full; without it a terminal asks, and elsewhere nothing is done
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

impl Confirm {
    /// Whether the name was repeated; a person at a terminal is asked for it.
    ///
    /// `names` are those that confirm, and the first is the one asked for. `consequence` is a sentence that says what
    /// would happen.
    ///
    /// # Errors
    /// [`CliError::Usage`] when it was not, or another name was given.
    pub(crate) fn check(&self, names: &[&str], consequence: &str) -> Result<(), CliError> {
        if self.confirm.is_some() || !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return self.given(names, consequence);
        }
        prompt(names, consequence, &mut io::stdin().lock())
    }

    /// As [`Confirm::check`], for what scripts do, too: one that gives no name means what it says.
    ///
    /// # Errors
    /// As [`Confirm::check`].
    pub(crate) fn ask(&self, names: &[&str], consequence: &str) -> Result<(), CliError> {
        if self.confirm.is_none() && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Ok(());
        }
        self.check(names, consequence)
    }

    fn given(&self, names: &[&str], consequence: &str) -> Result<(), CliError> {
        let name = names.first().copied().unwrap_or_default();
        match &self.confirm {
            Some(given) if names.contains(&given.as_str()) => Ok(()),
            Some(given) => Err(CliError::Usage(format!("nothing was done: --confirm {given} is not {name}"))),
            None => Err(CliError::Usage(format!("nothing was done. {consequence} To do it, add --confirm {name}"))),
        }
    }
}

/// Says what would happen, and reads the name.
fn prompt(names: &[&str], consequence: &str, input: &mut impl BufRead) -> Result<(), CliError> {
    let name = names.first().copied().unwrap_or_default();
    output::complain(&printable(consequence));
    output::complain(&format!("Type {} to do it:", printable(name)));
    let mut line = String::new();
    input.read_line(&mut line).map_err(CliError::read("standard input".as_ref()))?;
    if names.contains(&line.trim()) {
        return Ok(());
    }
    Err(CliError::Usage(format!("nothing was done: what was typed is not {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["ca", "organizations/org1/keys/ca"];
    const CONSEQUENCE: &str = "ca would be gone.";

    #[test]
    fn the_name_is_given_once_more_or_nothing_happens() {
        let given = |name: &str| Confirm { confirm: Some(name.to_owned()) }.given(NAMES, CONSEQUENCE);
        given("ca").unwrap();
        given("organizations/org1/keys/ca").unwrap();
        for name in ["", "c", "CA", "yes", "organizations/org2/keys/ca"] {
            assert_eq!(given(name).unwrap_err().exit_code(), 64, "{name}");
        }
        let error = Confirm::default().given(NAMES, CONSEQUENCE).unwrap_err().to_string();
        assert_eq!(error, "nothing was done. ca would be gone. To do it, add --confirm ca");
    }

    #[test]
    fn a_person_types_the_name() {
        let typed = |line: &str| prompt(NAMES, CONSEQUENCE, &mut line.as_bytes());
        typed("ca\n").unwrap();
        typed(" organizations/org1/keys/ca \n").unwrap();
        for line in ["", "\n", "y\n", "yes\n", "c\na\n"] {
            assert_eq!(typed(line).unwrap_err().exit_code(), 64, "{line:?}");
        }
    }
}
