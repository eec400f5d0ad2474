//! What is measured, in which order, and what is compared with what.

use crate::{
    Result,
    bare::Bare,
    deployment::{Deployment, ENCLAVE_KEY, SM2_KEY, TOKEN_KEY, output},
    direct::Direct,
    load::{Load, Measured},
    local::{self, Appends},
    loops::Loops,
    report::{Report, Unit},
};
use chancery_api::v1::Hash;
use hdrhistogram::Histogram;
use std::{sync::Arc, time::Duration};
use tokio::runtime::Runtime;

/// Unary calls in flight.
const CALLS: usize = 128;
/// Requests of a stream in flight.
const WINDOW: usize = 256;

/// All that takes part.
struct Parts {
    runtime: Runtime,
    direct: Direct,
    module: Loops,
    appends: Appends,
    bare: Arc<Load>,
    bare_signing: Arc<Load>,
    token: Arc<Load>,
    enclave: Arc<Load>,
    sm2: Arc<Load>,
    _server: Bare,
    // Last: the others' files lie in its directory.
    deployment: Deployment,
}

/// The whole benchmark.
pub(crate) fn run(rounds: u32, length: Duration) -> Result<()> {
    let mut parts = Parts::start()?;
    let mut report = Report::new(length);
    for round in 1..=rounds {
        eprint!("\rround {round} of {rounds} …");
        parts.round(&mut report, length)?;
    }
    eprintln!("\r{:30}", "");
    compare(&mut report);
    println!("{report}");
    let path = output().join("report.json");
    report.write(&path)?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

impl Parts {
    fn start() -> Result<Self> {
        let runtime = Runtime::new()?;
        let deployment = Deployment::start(&runtime)?;
        let server = Bare::start(&deployment)?;
        let direct = Direct::start(&deployment)?;
        let appends = Appends::create(deployment.beside("appends")?)?;
        let (bare, service) = runtime.block_on(async {
            let bare = deployment.client_of(&server.address).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((bare, deployment.client("org1-peer0").await?))
        })?;
        Ok(Self {
            bare: Load::new(bare.clone(), ""),
            bare_signing: Load::new(bare, "any"),
            token: Load::new(service.clone(), TOKEN_KEY),
            enclave: Load::new(service.clone(), ENCLAVE_KEY),
            sm2: Load::with_hash(service, SM2_KEY, Hash::Sm3),
            runtime,
            direct,
            module: deployment.module_loops()?,
            appends,
            _server: server,
            deployment,
        })
    }

    /// What is compared stands together.
    fn round(&mut self, report: &mut Report, length: Duration) -> Result<()> {
        for (name, threads) in [("C_Sign, 1 thread", 1), ("C_Sign, 2 threads", 2)] {
            report.add(name, Unit::PerSecond, self.direct.measure(threads, length)?);
        }
        report.add("aws-lc-rs, 1 thread", Unit::PerSecond, local::signatures(length)?);

        let stream = |load: &Arc<Load>| self.runtime.block_on(load.stream(WINDOW, length));
        report.add("C_Sign, 8 threads", Unit::PerSecond, self.direct.measure(8, length)?);
        report.add("SignStream, TOKEN", Unit::PerSecond, stream(&self.token)?.per_second);
        for (remoted, ours, threads) in [
            ("p11-kit, C_Sign, 1 thread", "module, C_Sign, 1 thread", 1),
            ("p11-kit, C_Sign, 8 threads", "module, C_Sign, 8 threads", 8),
        ] {
            report.add(remoted, Unit::PerSecond, self.direct.measure_remoted(threads, length)?);
            report.add(ours, Unit::PerSecond, self.module.measure(threads, length)?);
        }
        let (streamed, cpu) = self.with_cpu(&self.enclave, || stream(&self.enclave))?;
        report.add("SignStream, ENCLAVE", Unit::PerSecond, streamed.per_second);
        report.add("SignStream, ENCLAVE, service's CPU", Unit::Micros, cpu);
        report.add("bare stream + sign", Unit::PerSecond, stream(&self.bare_signing)?.per_second);
        report.add("sm2 crate, 1 thread", Unit::PerSecond, local::sm2_signatures(1, length)?);
        report.add("sm2 crate, 2 threads", Unit::PerSecond, local::sm2_signatures(2, length)?);
        report.add("SignStream, SM2", Unit::PerSecond, stream(&self.sm2)?.per_second);

        let calls = |load: &Arc<Load>, in_flight| self.runtime.block_on(load.unary(in_flight, length));
        report.add("bare unary, 128 in flight", Unit::PerSecond, calls(&self.bare, CALLS)?.per_second);
        let bare = calls(&self.bare_signing, CALLS)?;
        report.add("bare unary + sign, 128 in flight", Unit::PerSecond, bare.per_second);
        report.add("Sign, TOKEN, 128 in flight", Unit::PerSecond, calls(&self.token, CALLS)?.per_second);
        let (signed, cpu) = self.with_cpu(&self.enclave, || calls(&self.enclave, CALLS))?;
        report.add("Sign, ENCLAVE, 128 in flight", Unit::PerSecond, signed.per_second);
        report.add("Sign, ENCLAVE, 128 in flight, service's CPU", Unit::Micros, cpu);

        let appends = self.appends.measure(length)?;
        report.add("fdatasync", Unit::PerSecond, appends.len() as f64 / length.as_secs_f64());
        report.add("fdatasync, p50", Unit::Micros, median_micros(&appends));
        for (load, name, median) in [
            (&self.bare, "bare unary, 1 in flight", "bare unary, p50"),
            (&self.bare_signing, "bare unary + sign, 1 in flight", "bare unary + sign, p50"),
            (&self.enclave, "Sign, ENCLAVE, 1 in flight", "Sign, ENCLAVE, p50"),
            (&self.token, "Sign, TOKEN, 1 in flight", "Sign, TOKEN, p50"),
        ] {
            let measured = calls(load, 1)?;
            report.add(name, Unit::PerSecond, measured.per_second);
            report.add(median, Unit::Micros, median_micros(&measured.latencies));
        }
        Ok(())
    }

    /// What a measurement of ours came to, and the processor time that each of its requests took in service and enclave.
    fn with_cpu(&self, load: &Load, measure: impl FnOnce() -> Result<Measured>) -> Result<(Measured, f64)> {
        let (cpu, requests) = (self.deployment.cpu_micros()?, load.requests());
        let measured = measure()?;
        let requests = load.requests() - requests;
        Ok((measured, (self.deployment.cpu_micros()? - cpu) / requests as f64))
    }
}

/// The median of nanoseconds, in microseconds.
fn median_micros(latencies: &Histogram<u64>) -> f64 {
    latencies.value_at_quantile(0.5) as f64 / 1e3
}

/// The ratios of docs/performance.md.
fn compare(report: &mut Report) {
    let bare = "bare unary + sign, 128 in flight";
    report.ratio("P1: Sign, ENCLAVE ÷ bare unary + sign, 128 in flight", "Sign, ENCLAVE, 128 in flight", bare);
    report.ratio("P2: SignStream, ENCLAVE ÷ bare stream + sign", "SignStream, ENCLAVE", "bare stream + sign");
    report.ratio("P3: SignStream, TOKEN ÷ C_Sign, 8 threads", "SignStream, TOKEN", "C_Sign, 8 threads");
    let [ours, remoted] = ["module, C_Sign, 8 threads", "p11-kit, C_Sign, 8 threads"];
    report.ratio("P6: module ÷ p11-kit, C_Sign, 8 threads", ours, remoted);
    report.ratio("P7: SignStream, SM2 ÷ sm2 crate, 1 thread", "SignStream, SM2", "sm2 crate, 1 thread");
    report.ratio("P7, both cores: SignStream, SM2 ÷ sm2 crate, 2 threads", "SignStream, SM2", "sm2 crate, 2 threads");
    report.combine(
        "P5: lone caller's p50 beyond bare + fdatasync, ENCLAVE",
        ["Sign, ENCLAVE, p50", "bare unary, p50", "fdatasync, p50"],
        |[sign, bare, sync]| sign - bare - sync,
    );
}
