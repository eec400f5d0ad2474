//! Baselines that need no server: a signature in software, and a sync of the disk.

use crate::Result;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use hdrhistogram::Histogram;
use rustix::fs::{FallocateFlags, fallocate};
use sm2::dsa::signature::hazmat::PrehashSigner;
use std::{
    fs::File,
    hint::black_box,
    os::unix::fs::FileExt,
    path::PathBuf,
    time::{Duration, Instant},
};

/// P-256 signatures a second on one core.
pub(crate) fn signatures(length: Duration) -> Result<f64> {
    let (key, random) = (EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?, SystemRandom::new());
    let (begin, mut count) = (Instant::now(), 0);
    while begin.elapsed() < length {
        black_box(key.sign(&random, black_box(&[7; 32]))?);
        count += 1;
    }
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}

/// SM2 signatures a second on so many threads, with the crate that the enclave signs with.
pub(crate) fn sm2_signatures(threads: usize, length: Duration) -> Result<f64> {
    let secret = sm2::SecretKey::from_slice(&[0x51; 32]).map_err(|_| "no SM2 key")?;
    let begin = Instant::now();
    let counts = std::thread::scope(|scope| {
        let sign = || {
            let key = sm2::dsa::SigningKey::new("1234567812345678", &secret).map_err(|_| "no SM2 key")?;
            let mut count = 0_u64;
            while begin.elapsed() < length {
                let signature: sm2::dsa::Signature =
                    key.sign_prehash(black_box(&[7; 32])).map_err(|_| "no SM2 signature")?;
                black_box(signature);
                count += 1;
            }
            Ok::<_, &str>(count)
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(sign)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread failed")?)
            .sum::<std::result::Result<u64, _>>()
    })?;
    Ok(counts as f64 / begin.elapsed().as_secs_f64())
}

/// A file that is appended to as the log is: into space that was reserved.
pub(crate) struct Appends {
    file: File,
    end: u64,
}

/// About a record.
const APPEND: [u8; 512] = [7; 512];
/// Reserved at once, in bytes.
const ALLOCATION: u64 = 4 << 20;

impl Appends {
    /// A new file in this directory.
    pub(crate) fn create(directory: PathBuf) -> Result<Self> {
        Ok(Self { file: File::create_new(directory.join("appends"))?, end: 0 })
    }

    /// How long an append takes until its own fdatasync has made it durable, in nanoseconds.
    pub(crate) fn measure(&mut self, length: Duration) -> Result<Histogram<u64>> {
        let (begin, mut latencies) = (Instant::now(), Histogram::new(3)?);
        while begin.elapsed() < length {
            let appended = Instant::now();
            if self.end.is_multiple_of(ALLOCATION) {
                fallocate(&self.file, FallocateFlags::empty(), self.end, ALLOCATION)?;
            }
            self.file.write_all_at(&APPEND, self.end)?;
            self.file.sync_data()?;
            self.end += APPEND.len() as u64;
            latencies.record(u64::try_from(appended.elapsed().as_nanos())?)?;
        }
        Ok(latencies)
    }
}
