//! The process itself: how it starts, how it ends, and what it keeps from others.

mod harness;

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::{fs::MetadataExt, fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
};

use chancery_ipc::{KeyAlgorithm, Mechanism, Probe, request::Verb, response::Result as Reply};
use harness::*;

const BINARY: &str = env!("CARGO_BIN_EXE_chancery-enclave");
const NOBODY: u32 = 65_534;

fn proc(enclave: &Enclave, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{name}", enclave.child.id()))
}

#[test]
fn by_hand_it_explains_itself() {
    for stdin in [Stdio::null(), Stdio::piped()] {
        let output = Command::new(BINARY).stdin(stdin).output().unwrap();
        assert_eq!(output.status.code(), Some(64));
        assert!(String::from_utf8(output.stderr).unwrap().contains("chanceryd"));
    }
    let version = Command::new(BINARY).arg("--version").output().unwrap();
    assert!(version.status.success());
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("chancery-enclave "));
    assert!(Command::new(BINARY).arg("--help").output().unwrap().status.success());
    assert_eq!(Command::new(BINARY).arg("--pin=1").output().unwrap().status.code(), Some(64));
}

#[test]
fn end_of_file_is_a_good_end() {
    let host = Host::new();
    assert_eq!(host.start().end().code(), Some(0));
    let mut enclave = host.start();
    assert!(matches!(enclave.call(Verb::Probe(Probe { library: SOFTHSM.into() })), Reply::Probed(_)));
    assert_eq!(enclave.end().code(), Some(0));
}

#[test]
fn end_of_file_with_work_under_way_is_a_good_end() {
    let (host, _) = Host::with_deployment();
    let (mut enclave, _) = host.open(2);
    let name = version(1);
    let key = enclave.generate(&name, KeyAlgorithm::EcP256).public_key;
    let requests: Vec<_> =
        (0..500).map(|_| enclave.request(sign(&name, &key, Mechanism::Ecdsa, &[1; 32]), 0)).collect();
    enclave.send(&requests);
    assert_eq!(enclave.end().code(), Some(0));
}

#[test]
fn garbage_ends_the_process_with_an_error() {
    let host = Host::new();
    let too_long = u32::MAX.to_le_bytes().to_vec();
    let no_message = [4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff].to_vec();
    for garbage in [too_long, no_message] {
        let mut enclave = host.start();
        enclave.socket.write_all(&garbage).unwrap();
        let mut rest = Vec::new();
        let _ = enclave.socket.read_to_end(&mut rest);
        assert!(rest.is_empty());
        assert_eq!(enclave.wait().code(), Some(76));
    }
    assert!(host.log().contains("protocol"));
}

/// A non-dumpable process's `/proc/PID` belongs to root, whoever runs it; a dumpable one's to its user.
#[test]
fn the_process_is_not_dumpable() {
    let host = Host::new();
    let mut command = host.command();
    let as_root = fs::metadata("/proc/self/environ").unwrap().uid() == 0;
    if as_root {
        // An ordinary user's processes are needed to see a difference.
        fs::set_permissions(host.dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(host.path("log"), fs::Permissions::from_mode(0o666)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut enclave = Enclave::start(command);
    // The reply shows that hardening is done.
    enclave.call(Verb::Probe(Probe { library: "/nowhere".into() }));
    assert_eq!(fs::metadata(proc(&enclave, "environ")).unwrap().uid(), 0);
    assert_eq!(fs::metadata(proc(&enclave, "mem")).unwrap().uid(), 0);
    if as_root {
        // The counter-check: the same user's ordinary process belongs to it.
        let mut sleep = Command::new("sleep").arg("60").uid(NOBODY).gid(NOBODY).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        let owner = fs::metadata(format!("/proc/{}/environ", sleep.id())).unwrap().uid();
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert_eq!(owner, NOBODY);
    }
}

#[test]
fn the_process_is_hardened() {
    let host = Host::new();
    let mut enclave = host.start();
    enclave.call(Verb::Probe(Probe { library: "/nowhere".into() }));
    let limits = fs::read_to_string(proc(&enclave, "limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let status = fs::read_to_string(proc(&enclave, "status")).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("Umask:\t0077"), "{status}");
    // Memory is locked where the limit can be lifted (root), and said where not.
    let locked = status.lines().any(|line| line.starts_with("VmLck:") && !line.contains(" 0 kB"));
    assert_ne!(locked, host.log().contains("memory is not locked"), "{status}");
}

#[test]
fn inherited_descriptors_are_closed_and_the_library_never_sees_the_socket_as_stdin() {
    let host = Host::new();
    let file = fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap(); // inherited by the child
    let mut enclave = host.start();
    enclave.call(Verb::Probe(Probe { library: "/nowhere".into() }));
    let open: Vec<_> = fs::read_dir(proc(&enclave, "fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(!open.iter().any(|target| target.contains("hostname")), "{open:?}");
    assert!(
        open.iter().all(|target| target.starts_with("socket:") || target == "/dev/null" || target.ends_with("/log"))
    );
    for stdio in ["fd/0", "fd/1"] {
        assert_eq!(fs::read_link(proc(&enclave, stdio)).unwrap().to_str(), Some("/dev/null"));
    }
}

#[test]
fn the_pin_is_in_no_environment_argument_log_or_reply() {
    let (host, _) = Host::with_deployment();
    let (enclave, opened) = host.open(1);
    assert!(!format!("{opened:?}").contains(PIN));
    for name in ["environ", "cmdline"] {
        let text = fs::read(proc(&enclave, name)).unwrap();
        assert!(!text.windows(PIN.len()).any(|window| window == PIN.as_bytes()), "{name}");
    }
    assert!(!host.log().contains(PIN));
}

/// The PIN is wiped once the login is made: no copy of ours is left in the process's memory.
#[test]
fn the_pin_is_in_no_memory_of_ours_after_the_login() {
    let (host, _) = Host::with_deployment();
    let (enclave, _) = host.open(1);
    let Ok(mut memory) = fs::File::open(proc(&enclave, "mem")) else {
        eprintln!("skipped: reading another process's memory takes root");
        return;
    };
    let maps = fs::read_to_string(proc(&enclave, "maps")).unwrap();
    let mut count = |needle: &[u8]| {
        let mut found = 0;
        for line in maps.lines().filter(|line| line.split_whitespace().nth(1) == Some("rw-p")) {
            let (start, end) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
            let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(end - start).unwrap().min(64 << 20)];
            memory.seek(SeekFrom::Start(start)).unwrap();
            let Ok(length) = memory.read(&mut bytes) else { continue };
            found += bytes[..length].windows(needle.len()).filter(|window| *window == needle).count();
        }
        found
    };
    assert!(count(ORIGIN.as_bytes()) > 0, "the search finds what is there");
    assert_eq!(count(PIN.as_bytes()), 0, "copies of the PIN in memory");
}
