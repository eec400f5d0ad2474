//! A real `chanceryd dev` on a SoftHSM of its own, in a directory that goes when the test ends.
//!
//! **Invariant**: nothing outlives a [`Deployment`]: dropping it kills the service, whose enclave ends with it.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part")]

use chancery_client::{Client, ClientConfig};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// See the module.
pub struct Deployment {
    directory: TempDir,
    process: Option<Child>,
    address: SocketAddr,
    wrapper: Vec<String>,
}

/// `target/…/chanceryd`; its siblings lie beside it.
pub fn chanceryd() -> PathBuf {
    env!("CARGO_BIN_EXE_chanceryd").into()
}

/// Another program of the workspace.
pub fn program(name: &str) -> PathBuf {
    let path = chanceryd().with_file_name(name);
    assert!(path.exists(), "{} is missing: run `cargo build --workspace` first", path.display());
    path
}

impl Deployment {
    /// A fresh deployment, serving.
    pub fn start() -> Self {
        Self::start_under(&[])
    }

    /// The same, started by another program, e.g. a shell that sets limits: it gets the command line as its last
    /// arguments and must exec it.
    pub fn start_under(wrapper: &[&str]) -> Self {
        program("chancery-enclave");
        let directory = TempDir::new().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let wrapper = wrapper.iter().map(ToString::to_string).collect();
        let mut deployment = Self { directory, process: None, address, wrapper };
        deployment.serve();
        deployment
    }

    /// Starts the service again, on the address that it had.
    pub fn serve(&mut self) {
        let address = self.address.to_string();
        let dir = self.dir();
        let mut command = self.wrapper.iter().map(Into::into).chain([chanceryd().into_os_string()]);
        let mut process = Command::new(command.next().unwrap())
            .args(command)
            .args(["dev", "--listen", &address, "--dir"])
            .arg(&dir)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::options().create(true).append(true).open(self.stderr_path()).unwrap())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let ready = BufReader::new(stdout).lines().map_while(Result::ok).find(|line| line.starts_with("ready"));
        self.process = Some(process);
        let ready = ready.unwrap_or_else(|| panic!("the service did not start: {}", self.stderr()));
        self.address = ready["ready ".len()..].split_whitespace().next().unwrap().parse().unwrap();
    }

    /// The deployment as it is on disk now, log, store and token, in a directory of its own; not serving. This one must
    /// have stopped.
    pub fn copy(&self) -> Self {
        assert!(self.process.is_none(), "it must have stopped");
        let directory = TempDir::new().unwrap();
        let status = Command::new("cp").arg("-a").arg(self.dir()).arg(directory.path()).status().unwrap();
        assert!(status.success());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let copy = Self { directory, process: None, address, wrapper: self.wrapper.clone() };
        let (here, there) = (self.dir(), copy.dir());
        for name in ["chancery.toml", "softhsm2.conf"] {
            let text = std::fs::read_to_string(there.join(name)).unwrap();
            std::fs::write(there.join(name), text.replace(here.to_str().unwrap(), there.to_str().unwrap())).unwrap();
        }
        copy
    }

    /// The deployment's directory.
    pub fn dir(&self) -> PathBuf {
        self.directory.path().join("dev")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The service's process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// What service and enclave wrote to stderr so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.stderr_path()).unwrap_or_default()
    }

    fn stderr_path(&self) -> PathBuf {
        self.directory.path().join("stderr")
    }

    /// The enclave's process id.
    pub fn enclave_pid(&self) -> Option<u32> {
        // A child belongs to the thread that started it.
        let mut children = std::fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?.flatten().flat_map(|task| {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        });
        children.next()
    }

    /// Ends the service as an operator does, and waits for it; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        signal(process.id(), "TERM");
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = process.kill();
        panic!("the service did not end within 20 s of SIGTERM: {}", self.stderr());
    }

    /// Ends the service as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// A client's directory, e.g. of `org1-peer0`.
    pub fn client_dir(&self, name: &str) -> PathBuf {
        self.dir().join("clients").join(name)
    }

    /// A client that is connected.
    pub async fn client(&self, name: &str) -> Client {
        let config = ClientConfig::load(&self.client_dir(name).join("client.toml")).unwrap();
        Client::connect(&config).await.unwrap()
    }

    /// Runs the `chancery` command as a client.
    pub fn chancery(&self, client: &str, arguments: &[&str]) -> Output {
        let config = self.client_dir(client).join("client.toml");
        Command::new(program("chancery")).arg("--config").arg(config).args(arguments).output().unwrap()
    }

    /// Runs `chancery audit verify` on the log.
    pub fn verify_log(&self) -> Output {
        verify_log(&self.dir().join("audit"), &self.dir().join("audit.vkey"))
    }
}

/// Runs `chancery audit verify`, signatures and all.
pub fn verify_log(log: &Path, key: &Path) -> Output {
    Command::new(program("chancery"))
        .args(["audit", "verify", "--log"])
        .arg(log)
        .arg("--key")
        .arg(key)
        .arg("--signatures")
        .output()
        .unwrap()
}

/// Sends a signal.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// Fails with what a command printed, unless it ended with `code`.
pub fn expect_code(output: &Output, code: i32) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {out}\nstderr: {err}");
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.kill();
    }
}
