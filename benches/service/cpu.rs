//! Processor time of the service and its enclave: what a signature costs, however busy the machine is with other things.

use crate::Result;
use std::fs;

/// Microseconds that a process and its children have run so far. Threads that ended are not counted.
pub(crate) fn micros(process: u32) -> Result<f64> {
    let mut micros = 0.0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.path();
        // Nanoseconds on a core, nanoseconds waiting for one, times it was given one.
        let ran = fs::read_to_string(task.join("schedstat"))?;
        micros += ran.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e3;
        // A child belongs to the thread that started it.
        for child in fs::read_to_string(task.join("children"))?.split_whitespace() {
            micros += self::micros(child.parse()?)?;
        }
    }
    Ok(micros)
}
