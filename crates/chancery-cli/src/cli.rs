//! The command line: what is offered, and which module does it.
//!
//! **Invariants**
//! * Only what the service can do is offered: words that it does not know are refused here, with those it knows.
//! * Every way out is one of the exit codes in [`crate::failure`].
//!
//! **Not here**: what the commands do.

use crate::{
    approvals, attestation, audit, backup, bench, certificates, crypto, csr,
    failure::{CliError, Doing as _, EXIT_USAGE},
    keys, output,
    output::Output,
    policy, registry, sign, status, verify,
};
use chancery_api::names::OrganizationName;
use chancery_client::{Client, ClientConfig};
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use std::{env, future::Future, io, path::PathBuf, process::ExitCode};

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 verification failed, 64 usage, 65 rejected, 66 input file, 69 unavailable, 70 internal, \
73 output file, 77 denied.
KEY is a full name: organizations/ORG/keys/KEY, which stands for its primary version, or …/versions/N.";

/// What every command takes stands apart in its help.
const EVERYWHERE: &str = "Options of every command";

/// Keys, signatures, certificates, members and the audit log of a Chancery deployment.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, after_help = EXIT_CODES, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command knows.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// The client's configuration: address, certificate, key and CA
    #[arg(long, global = true, env = "CHANCERY_CONFIG", value_name = "FILE", help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Tables for people or JSON for scripts
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Output::Table,
        value_name = "FORM",
        help_heading = EVERYWHERE
    )]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make, look up, change, rotate and destroy keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Sign a file
    Sign(sign::Args),
    /// Verify a file's signature with a key kept by the service
    Verify(verify::Args),
    /// Encrypt a file
    Encrypt(crypto::CipherArgs),
    /// Decrypt a file
    Decrypt(crypto::CipherArgs),
    /// Agree on a shared secret with another's public key (ECDH, X25519)
    ///
    /// The result is the raw secret: put it through a key derivation function before you use it.
    Agree(crypto::AgreeArgs),
    /// Make a message authentication code of a file, or verify one
    Mac(crypto::MacArgs),
    /// Draw random bytes, the token's mixed with the system's
    Random(crypto::RandomArgs),
    /// Wrap the bytes of a key that you hold (RFC 5649)
    Wrap(crypto::WrapArgs),
    /// Unwrap the bytes of a key
    Unwrap(crypto::WrapArgs),
    /// Make a certificate signing request (PKCS #10) for a key
    Csr(csr::Args),
    /// Issue certificates, and bind them to key versions
    #[command(subcommand)]
    Certificates(certificates::Command),
    /// Make an organization, look it up, change how it meets its members
    #[command(subcommand)]
    Organizations(registry::organizations::Command),
    /// The certificate authorities that vouch for an organization's members, and their revocation lists
    #[command(subcommand)]
    Anchors(registry::anchors::Command),
    /// Give roles to public keys, and let nodes in with new ones
    #[command(subcommand)]
    Principals(registry::principals::Command),
    /// Let someone in no more, at once, and again
    #[command(subcommand)]
    Suspensions(registry::suspensions::Command),
    /// Principals that policies speak of together
    #[command(subcommand)]
    Groups(registry::groups::Command),
    /// Rates, quotas and numbers of keys
    #[command(subcommand)]
    Limits(registry::limits::Command),
    /// Back up an organization's enclave keys, and restore them
    #[command(subcommand)]
    Backup(backup::Command),
    /// Approve what another officer asked for, or call it off
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// Check what the enclave states of a key, offline
    #[command(subcommand)]
    Attestation(attestation::Command),
    /// Read the audit log, and verify a copy of it offline
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check, read, set, explain and try out policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// Is the service there, and can it release signatures?
    Status(status::Arguments),
    /// Measure the service
    #[command(subcommand)]
    Bench(bench::Command),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Global {
    /// Reads the configuration.
    pub(crate) fn config(&self) -> Result<ClientConfig, CliError> {
        let path = self.config.as_deref().ok_or_else(|| {
            CliError::Usage(
                "no client configuration: give --config FILE or set CHANCERY_CONFIG \
                 (`chanceryd dev` writes DIR/clients/NAME/client.toml)"
                    .into(),
            )
        })?;
        Ok(ClientConfig::load(path)?)
    }

    /// Reads the configuration and connects.
    pub(crate) async fn connect(&self) -> Result<Client, CliError> {
        connect(&self.config()?).await
    }
}

/// Connects as a configuration says.
pub(crate) async fn connect(config: &ClientConfig) -> Result<Client, CliError> {
    let client = Client::connect(config).await.doing("connect")?;
    if let Some(error) = client.unchecked() {
        output::complain(&format!("warning: the log was not compared with what was seen before: {error}"));
    }
    Ok(client)
}

/// The organization that was named, or the one in the client's configuration.
pub(crate) fn organization_or_default<'n>(
    config: &'n ClientConfig,
    named: Option<&'n OrganizationName>,
) -> Result<&'n OrganizationName, CliError> {
    named
        .or(config.organization())
        .ok_or_else(|| CliError::Usage("name an organization: the client's configuration has no `organization`".into()))
}

/// Parses the arguments, runs the command, reports how it went.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &env::args().collect::<Vec<_>>()),
    };
    match dispatch(&cli) {
        Ok(code) => code,
        Err(error) => {
            error.report(cli.global.output);
            ExitCode::from(error.exit_code())
        }
    }
}

/// What clap has to say: help and version were asked for, everything else is wrong usage.
fn usage(error: &clap::Error, line: &[String]) -> ExitCode {
    let json = line.iter().any(|word| word == "--output=json")
        || line.windows(2).any(|words| words[0] == "--output" && words[1] == "json");
    if error.use_stderr() && json {
        CliError::Usage(error.to_string().trim_end().to_owned()).report(Output::Json);
    } else {
        // Nothing can be said if stderr is gone; the exit code still tells.
        let _ = error.print();
    }
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}

fn dispatch(cli: &Cli) -> Result<ExitCode, CliError> {
    let global = &cli.global;
    match &cli.command {
        Command::Keys(command) => online(keys::run(global, command)),
        Command::Sign(args) => online(sign::run(global, args)),
        Command::Verify(args) => online(verify::run(global, args)),
        Command::Encrypt(args) => online(crypto::encrypt(global, args)),
        Command::Decrypt(args) => online(crypto::decrypt(global, args)),
        Command::Agree(args) => online(crypto::agree(global, args)),
        Command::Mac(args) => online(crypto::mac(global, args)),
        Command::Random(args) => online(crypto::random(global, args)),
        Command::Wrap(args) => online(crypto::wrap(global, args)),
        Command::Unwrap(args) => online(crypto::unwrap(global, args)),
        Command::Csr(args) => online(csr::run(global, args)),
        Command::Certificates(command) => online(certificates::run(global, command)),
        Command::Organizations(command) => online(registry::organizations::run(global, command)),
        Command::Anchors(command) => online(registry::anchors::run(global, command)),
        Command::Principals(command) => online(registry::principals::run(global, command)),
        Command::Suspensions(command) => online(registry::suspensions::run(global, command)),
        Command::Groups(command) => online(registry::groups::run(global, command)),
        Command::Limits(command) => online(registry::limits::run(global, command)),
        Command::Backup(backup::Command::Show(args)) => backup::show::run(global.output, args),
        Command::Backup(backup::Command::Share(args)) => backup::share::run(global.output, args),
        Command::Backup(backup::Command::Create(args)) => online(backup::create::run(global, args)),
        Command::Backup(backup::Command::List(args)) => online(backup::list::run(global, args)),
        Command::Backup(backup::Command::Job(args)) => online(backup::job::run(global, args)),
        Command::Backup(backup::Command::Restore(args)) => online(backup::restore::run(global, args)),
        Command::Approvals(command) => online(approvals::run(global, command)),
        Command::Attestation(attestation::Command::Verify(args)) => attestation::run(global.output, args),
        Command::Audit(audit::Command::Verify(args)) => audit::verify::run(global.output, args),
        Command::Audit(audit::Command::List(args)) => online(audit::list::run(global, args)),
        Command::Audit(audit::Command::Tail(args)) => online(audit::tail::run(global, args)),
        Command::Audit(audit::Command::Export(args)) => {
            audit::export::offline(global.output, args).unwrap_or_else(|| online(audit::export::run(global, args)))
        }
        Command::Audit(audit::Command::Checkpoint(args)) => online(audit::checkpoint::run(global, args)),
        Command::Audit(audit::Command::Witness(audit::witness::Command::Init(args))) => {
            audit::witness::init::run(global.output, args)
        }
        Command::Audit(audit::Command::Witness(audit::witness::Command::Run(args))) => {
            online(audit::witness::run::run(global, args))
        }
        Command::Audit(audit::Command::Proof(args)) => online(audit::proof::run(global, args)),
        Command::Audit(audit::Command::Consistency(sizes)) => online(audit::proof::consistency(global, sizes)),
        Command::Policy(policy::Command::Check(args)) => policy::check::run(global.output, args),
        Command::Policy(policy::Command::Get(args)) => online(policy::get::run(global, args)),
        Command::Policy(policy::Command::Set(args)) => online(policy::set::run(global, args)),
        Command::Policy(policy::Command::Explain(args)) => online(policy::explain::run(global, args)),
        Command::Policy(policy::Command::Simulate(args)) => online(policy::simulate::run(global, args)),
        Command::Policy(policy::Command::Reload) => online(policy::reload::run(global)),
        Command::Status(arguments) => online(status::run(global, arguments)),
        Command::Bench(bench::Command::Sign(args)) => online(bench::run(global, args)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "chancery", &mut script);
            output::bytes(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn online<F: Future<Output = Result<ExitCode, CliError>>>(command: F) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error: io::Error| CliError::Internal(format!("can't start the runtime: {error}")))?;
    runtime.block_on(command)
}

#[cfg(test)]
mod tests;
