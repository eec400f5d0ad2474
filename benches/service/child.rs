//! A process that answers lines: chanceryd, or this program in another role.
//!
//! **Invariant**: dropping a [`Child`] ends its process and waits for it.

use crate::Result;
use std::{
    io::{self, BufRead, BufReader, Lines, Write},
    process::{self, ChildStdin, ChildStdout, Command, Stdio},
};

/// See the module.
pub(crate) struct Child {
    process: process::Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts a program; its stderr is ours.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (stdin, stdout) = stdin.zip(stdout).ok_or("a child has no pipes")?;
        Ok(Self { process, stdin, stdout: BufReader::new(stdout).lines() })
    }

    /// Starts this program in another role.
    pub(crate) fn role() -> Result<Command> {
        Ok(Command::new(std::env::current_exe()?))
    }

    /// What follows `word` in the next line that begins with it.
    pub(crate) fn wait_for(&mut self, word: &str) -> Result<String> {
        for line in &mut self.stdout {
            if let Some(rest) = line?.strip_prefix(word) {
                return Ok(rest.trim().to_owned());
            }
        }
        let status = self.process.wait()?;
        Err(format!("a program of the benchmark ended ({status}) before it said `{word}`; what it said stands above")
            .into())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a line.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.stdin, "{line}")?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// For a child: ends the process when whoever started it is gone.
pub(crate) fn end_with_stdin() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
}
