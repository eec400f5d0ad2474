//! `chanceryd`: arguments → configuration → service → exit code. No logic here.
#![forbid(unsafe_code)]

use chancery::{
    config::Configuration,
    deployment::{self, DeploymentError},
    service::{Addresses, Service, ServiceError},
};
use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// A virtual HSM for consortium networks.
#[derive(Parser)]
#[command(name = "chanceryd", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the deployment of a configuration
    Serve(ServeArguments),
    /// Make a new deployment on an initialized token: audit key, deployment CA, server certificate, first organizations
    Init {
        /// The configuration, TOML
        #[arg(long)]
        config: PathBuf,
    },
    /// Serve a complete laptop deployment on SoftHSM, made on the first start and reused afterwards
    Dev {
        /// Where it is kept
        #[arg(long, default_value = ".chancery")]
        dir: PathBuf,
        /// Address of the gRPC API; loopback only. Port 0 takes a free one
        #[arg(long, default_value = "127.0.0.1:7443")]
        listen: SocketAddr,
        /// The SoftHSM library [default: where the distribution puts it]
        #[arg(long)]
        library: Option<PathBuf>,
    },
    /// Say what a configuration's PKCS#11 library offers, and what will and won't work with it
    Doctor {
        /// The configuration, TOML
        #[arg(long)]
        config: PathBuf,
    },
}

#[derive(Args)]
struct ServeArguments {
    /// The configuration, TOML
    #[arg(long)]
    config: PathBuf,
    /// Check configuration, policies, certificates and token, and exit
    #[arg(long)]
    check: bool,
    /// Try the PIN again although the token refused it before
    #[arg(long)]
    retry_login: bool,
}

/// An error's exit code and text.
struct Failure {
    code: u8,
    message: String,
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self { code: error.exit_code(), message: error.to_string() }
    }
}

impl From<DeploymentError> for Failure {
    fn from(error: DeploymentError) -> Self {
        Self { code: error.exit_code(), message: error.to_string() }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    chancery::service::prepare_process();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("chanceryd: the runtime can't be started: {error}");
            return ExitCode::from(70);
        }
    };
    let result = runtime.block_on(run(arguments.command));
    // The store is closed with the last task; what waits for a disk that hangs is not waited for.
    runtime.shutdown_timeout(DRAIN);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("chanceryd: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => {
            let configuration = Configuration::load(&serve.config).map_err(ServiceError::from)?;
            if serve.retry_login {
                deployment::forget_refused_login(&configuration)?;
            }
            if serve.check {
                for line in deployment::check(&configuration).await? {
                    println!("{line}");
                }
                return Ok(());
            }
            let service = Service::open(configuration).await?;
            Ok(service.run(announce, stop()).await?)
        }
        Command::Init { config } => {
            let configuration = Configuration::load(&config).map_err(ServiceError::from)?;
            for line in deployment::init(&configuration).await? {
                println!("{line}");
            }
            Ok(())
        }
        Command::Dev { dir, listen, library } => {
            let dev = deployment::dev(&dir, listen, library).await?;
            let service = Service::open(dev.configuration.clone()).await?;
            service.run(|bound| dev.announce(bound), stop()).await?;
            Ok(())
        }
        Command::Doctor { config } => {
            let configuration = Configuration::load(&config).map_err(ServiceError::from)?;
            for line in deployment::doctor(&configuration).await? {
                println!("{line}");
            }
            Ok(())
        }
    }
}

fn announce(bound: &Addresses) {
    bound.print();
}

/// Ends at SIGTERM or SIGINT, counted from the call: whoever reads `ready` may send one at once.
fn stop() -> impl Future<Output = ()> + Send {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        end_in_any_case();
    }
}

/// How long what is under way may take to end, once nothing is served any more.
const DRAIN: Duration = Duration::from_secs(3);

/// How long the service may take to stop.
const LONGEST_STOP: Duration = Duration::from_secs(45);

/// A disk that hangs must not keep the process: it recovers from its log, as after a crash.
fn end_in_any_case() {
    let end = || {
        std::thread::sleep(LONGEST_STOP);
        eprintln!("chanceryd: the disk did not let the service end in time; the next start recovers from the log");
        std::process::exit(74);
    };
    if let Err(error) = std::thread::Builder::new().name("end".into()).spawn(end) {
        eprintln!("chanceryd: the thread that would end a service that hangs can't be started: {error}");
    }
}
