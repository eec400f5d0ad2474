//! What the module starts in its host: nothing before the first request, then one thread that none of the host's signals
//! reach and sockets that none of its programs inherit, and nothing after the end.

use chancery_client::ClientConfig;
use chancery_pkcs11::{
    module::config::Config,
    remote::{Doing, Remote},
    rv::Rv,
};
use cryptoki_sys::{CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID};
use rcgen::{CertificateParams, KeyPair};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// `/proc/self/task/*/status` of the module's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let statuses = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    statuses.filter(|status| status.starts_with("Name:\tchancery-pkcs11\n")).collect()
}

/// Signals that can be blocked, as SigBlk has them: not KILL and STOP, and not the two that the C library keeps.
fn blockable() -> u64 {
    [9, 19, 32, 33].iter().fold(u64::MAX, |mask, signal| mask & !(1 << (signal - 1)))
}

fn blocked(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap()
}

fn own_mask() -> u64 {
    blocked(&fs::read_to_string("/proc/thread-self/status").unwrap())
}

/// Open files above the standard three: how many, and which of them a program would inherit.
fn descriptors() -> (usize, Vec<String>) {
    let entries = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let files = entries.filter_map(|entry| {
        let name =
            entry.file_name().into_string().ok().filter(|name| name.parse().is_ok_and(|number: u32| number > 2))?;
        let info = fs::read_to_string(entry.path()).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some((name, u32::from_str_radix(flags.trim(), 8).ok()? & 0o2_000_000 == 0))
    });
    let files: Vec<_> = files.collect();
    (files.len(), files.into_iter().filter(|(_, inherited)| *inherited).map(|(name, _)| name).collect())
}

/// Of a service at this address.
fn config(directory: &Path, address: &str) -> Arc<Config> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["peer0".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    for (name, text) in [("cert.pem", &certificate), ("ca.pem", &certificate), ("key.pem", &key.serialize_pem())] {
        fs::write(directory.join(name), text).unwrap();
    }
    let path = directory.join("client.toml");
    let files = "ca = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    fs::write(&path, format!("address = \"{address}\"\n{files}deadline = \"500ms\"\n")).unwrap();
    let client = ClientConfig::load(&path).unwrap();
    Arc::new(Config { deadline: client.deadline(), client, slots: Vec::new() })
}

// One test: it looks at the whole process.
#[test]
fn the_host_keeps_its_signals_and_its_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    // Takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(directory.path(), &silent.local_addr().unwrap().to_string());
    let (mut before, inherited_before) = descriptors();
    let mask = own_mask();
    for round in 0..3 {
        let remote = Remote::new(Arc::clone(&config));
        assert_eq!((threads().len(), descriptors().0), (0, before), "nothing before it is needed");

        let start = Instant::now();
        let failure = remote.sign(Default::default()).unwrap_err();
        assert_eq!(failure.rv(Doing::Using), Rv(CKR_SESSION_HANDLE_INVALID), "{failure:?}");
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());

        let running = threads();
        assert_eq!(running.len(), 1, "{running:?}");
        assert_eq!(blocked(&running[0]) & blockable(), blockable(), "{}", running[0]);
        assert_eq!(own_mask(), mask, "the caller's is as it was");
        let (open, inherited) = descriptors();
        assert!(open > before, "the module has sockets");
        assert_eq!(inherited, inherited_before);

        remote.close();
        // Tokio keeps a pair of its own for the process's life.
        before += if round == 0 { 2 } else { 0 };
        assert_eq!((threads().len(), descriptors().0), (0, before));
        let refused = remote.sign(Default::default()).unwrap_err();
        assert_eq!(refused.rv(Doing::Using), Rv(CKR_CRYPTOKI_NOT_INITIALIZED));
        assert_eq!(threads().len(), 0, "and none starts again");
    }
}
