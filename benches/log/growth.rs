//! The log grows from one power of ten to the next, and is measured at each.

use crate::{
    Result,
    measure::{cpu_micros, median, micros_since},
    report::Report,
    world::World,
};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::{Ed25519KeyPair, KeyPair},
};
use chancery::audit::{AuditLog, Draft, Places, Shares, Users, create, read, write_first_checkpoint};
use chancery_audit::{checkpoint::VerifierKey, record::Genesis};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SEGMENT_BYTES: u64 = 64 << 20;
/// Appends under way at a time, as of a busy service.
const IN_FLIGHT: usize = 1024;
/// The last records before a size is reached that are timed, at most.
const TIMED: u64 = 200_000;
/// Single appends, and proofs, of which the median is taken.
const SINGLE: u64 = 200;
/// Times that a query is asked.
const ASKED: usize = 15;

/// The folder of everything that the benchmark writes.
fn output() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

pub(crate) fn run(records: u64) -> Result<()> {
    fs::create_dir_all(output())?;
    let directory = TempDir::with_prefix_in("log-", output())?;
    let runtime = Runtime::new()?;
    let report = runtime.block_on(async {
        let mut growing = Growing { log: new_log(directory.path())?, world: World::new(records)?, size: 0 };
        let mut report = Report::new();
        for size in (3..).map(|power| 10u64.pow(power)).take_while(|size| *size < records).chain([records]) {
            eprint!("\rto {size} records …            ");
            growing.grow(size, &mut report).await?;
            growing.proofs(&mut report).await?;
            growing.queries(&mut report).await?;
        }
        growing.log.close().await;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(report)
    })?;
    eprintln!("\r{:30}", "");
    println!("{report}");
    let path = output().join("log.json");
    report.write(&path)?;
    println!("written to {}", path.display());
    Ok(())
}

/// A log of one record.
fn new_log(directory: &Path) -> Result<AuditLog> {
    let signer = Ed25519KeyPair::generate()?;
    let public: PublicKeyX509Der = signer.public_key().as_der()?;
    let key = VerifierKey::from_spki("bench.example.org/log", public.as_ref())?;
    let place = |name: &str| directory.join(name);
    let places = Places {
        directory: place("audit"),
        durable: place("log-durable-size"),
        tiles: place("tiles"),
        index: place("index"),
    };
    let genesis = Genesis {
        deployment: "bench".into(),
        origins: vec![key.name().to_owned()],
        audit_vkey: key.to_string(),
        ..Genesis::default()
    };
    let checkpoint = create(&places, &key, vec![Draft::genesis(genesis)])?;
    let signature = signer.sign(checkpoint.text().as_bytes());
    write_first_checkpoint(&places, &key.sign_note(&checkpoint, signature.as_ref()))?;
    let read = read(&places, &key, SEGMENT_BYTES, None, |_| {})?;
    Ok(AuditLog::start(
        read.tail,
        read.archived,
        Users::default(),
        Arc::new(Shares::default()),
        Duration::from_secs(60),
    ))
}

struct Growing {
    log: AuditLog,
    world: World,
    /// Records put in.
    size: u64,
}

impl Growing {
    /// Puts records in, many at a time, until there are so many.
    async fn append_to(&mut self, size: u64) -> Result<()> {
        let appends = (self.size..size).map(|n| self.log.append(self.world.draft(n)));
        stream::iter(appends).buffer_unordered(IN_FLIGHT).try_for_each(|_| async { Ok(()) }).await?;
        self.size = size;
        Ok(())
    }

    async fn grow(&mut self, size: u64, report: &mut Report) -> Result<()> {
        let timed = TIMED.min(size / 2);
        let timed_from = size - timed - SINGLE.min(size / 4);
        self.append_to(timed_from).await?;
        let (start, cpu) = (Instant::now(), cpu_micros());
        self.append_to(timed_from + timed).await?;
        let (micros, cpu) = (micros_since(start) / timed as f64, (cpu_micros() - cpu) / timed as f64);
        let mut single = Vec::new();
        while self.size < size {
            let start = Instant::now();
            self.log.append(self.world.draft(self.size)).await?;
            single.push(micros_since(start));
            self.size += 1;
        }
        report.size(size);
        report.add("append, 1024 in flight", "µs", micros);
        report.add("append, 1024 in flight, CPU", "µs", cpu);
        report.add("append, one at a time, median", "µs", median(single));
        Ok(())
    }

    async fn proofs(&self, report: &mut Report) -> Result<()> {
        let (size, _) = self.log.tree();
        let (mut times, mut most) = ([Vec::new(), Vec::new()], [0, 0]);
        for n in 0..SINGLE {
            let index = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
            let start = Instant::now();
            let inclusion = self.log.inclusion(index, size).await?;
            times[0].push(micros_since(start));
            let start = Instant::now();
            let consistency = self.log.consistency(index.max(1), size).await?;
            times[1].push(micros_since(start));
            most = [most[0].max(inclusion.len()), most[1].max(consistency.len())];
        }
        let [inclusion, consistency] = times.map(median);
        report.add("inclusion proof, median", "µs", inclusion);
        report.add("inclusion proof, longest", "hashes", most[0] as f64);
        report.add("consistency proof, median", "µs", consistency);
        report.add("consistency proof, longest", "hashes", most[1] as f64);
        Ok(())
    }

    async fn queries(&self, report: &mut Report) -> Result<()> {
        for (name, query, expected) in self.world.queries(self.size)? {
            let mut times = Vec::new();
            for _ in 0..ASKED {
                let start = Instant::now();
                let (mut query, mut found) = (query.clone(), 0);
                loop {
                    let page = self.log.page(query.clone()).await?;
                    found += page.records.len();
                    query.limit -= page.records.len();
                    match page.next {
                        Some(next) if query.limit > 0 => query.from = next,
                        _ => break,
                    }
                }
                times.push(micros_since(start));
                if found != expected {
                    return Err(format!("{name}: {found} records instead of {expected}").into());
                }
            }
            report.add(name, "µs", median(times));
        }
        Ok(())
    }
}
