//! OpenSSH: public keys listed, files signed through ssh-agent, certificates issued, with keys behind the module.

use crate::{
    desk::Desk,
    harness::signal,
    pkcs11::{PIN, module, succeed},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const CLIENT: &str = "org1-orderer0";

/// An agent that ends with its test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

/// A program of OpenSSH's, which asks another program for the PIN.
fn ssh(desk: &Desk, program: &str, line: &str) -> Command {
    let askpass = desk.path("askpass");
    if !askpass.exists() {
        fs::write(&askpass, format!("#!/bin/sh\necho {PIN}\n")).unwrap();
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let mut command = desk.command(program, line);
    command.env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force").env("SSH_AUTH_SOCK", desk.path("agent"));
    command
}

/// A key of this label as ssh-keygen lists it, in `key.pub`: before any login.
fn listed(desk: &Desk, key_type: &str, label: &str, id: &str) {
    let make = format!("--keypairgen --key-type {key_type} --usage-sign --label {label} --id {id}");
    succeed(&mut desk.pkcs11_tool(&make));
    let keys = succeed(ssh(desk, "ssh-keygen", "-D").arg(module())).text;
    let line = keys.lines().find(|line| line.ends_with(&format!(" {label}")));
    desk.write("key.pub", format!("{}\n", line.unwrap_or_else(|| panic!("{label}: {keys}"))));
}

/// An agent that was given the module and its PIN.
fn agent(desk: &Desk) -> Agent {
    let socket = desk.path("agent");
    let directory = module().canonicalize().unwrap().parent().unwrap().join("*");
    let mut command = desk.command("ssh-agent", "-D -a");
    let agent = Agent(command.arg(&socket).arg("-P").arg(directory).stdout(Stdio::null()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "ssh-agent does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    succeed(ssh(desk, "ssh-add", "-s").arg(module()));
    agent
}

fn signs_and_certifies(key_type: &str, label: &str, id: &str) {
    let desk = Desk::new(CLIENT);
    listed(&desk, key_type, label, id);
    let _agent = agent(&desk);
    succeed(&mut ssh(&desk, "ssh-keygen", "-Y sign -n file -f key.pub message"));
    let key = String::from_utf8(desk.read("key.pub")).unwrap();
    desk.write("allowed", format!("node@org1 {key}"));
    let verify = "-Y verify -f allowed -I node@org1 -n file -s message.sig";
    let mut judge = ssh(&desk, "ssh-keygen", verify);
    let valid = succeed(judge.stdin(fs::File::open(desk.path("message")).unwrap())).text;
    assert!(valid.contains("Good \"file\" signature for node@org1"), "{valid}");
    let mut judge = ssh(&desk, "ssh-keygen", verify);
    crate::pkcs11::fail(judge.stdin(fs::File::open(desk.path("digest")).unwrap()));
    // The judge of certificates: an agent takes none whose signature is wrong, and ssh-keygen prints none.
    succeed(desk.command("ssh-keygen", "-q -t ed25519 -f user -N").arg(""));
    succeed(ssh(&desk, "ssh-keygen", "-q -s key.pub -I user -n user -D").arg(module()).arg("user.pub"));
    let shown = desk.without_module("ssh-keygen", "-L -f user-cert.pub").text;
    assert!(shown.contains("Signing CA"), "{shown}");
}

#[test]
fn ec_p256() {
    signs_and_certifies("EC:prime256v1", "ssh-p256", "ee01");
}

#[test]
fn rsa() {
    signs_and_certifies("rsa:2048", "ssh-rsa", "ee02");
}
