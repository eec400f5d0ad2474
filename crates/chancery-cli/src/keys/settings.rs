//! What can be set on a key, when it is made and later.

use crate::{failure::CliError, time};
use chancery_api::v1::{RotationSchedule, rotation_schedule::Schedule};
use clap::builder::RangedI64ValueParser;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// When a key is rotated.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RotationArgs {
    /// Rotate the key by itself, so long after the last time, e.g. 90d
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration, conflicts_with = "rotate_cron")]
    rotate_every: Option<SignedDuration>,
    /// Rotate the key by itself at these times, in UTC: "MINUTE HOUR DAY MONTH WEEKDAY", e.g. "0 3 1 * *"
    #[arg(long, value_name = "CRON", value_parser = cron)]
    rotate_cron: Option<String>,
    /// How long the version before still signs after a rotation, where it is named, e.g. 7d [default: until it is
    /// deactivated]
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    overlap: Option<SignedDuration>,
    /// Next versions to make ahead of time, for tokens that need long to make one: 0 to 16
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<i32>::new().range(0..=16))]
    pool: Option<i32>,
}

impl RotationArgs {
    pub(super) fn schedule(&self) -> Option<RotationSchedule> {
        let interval = self.rotate_every.map(|every| Schedule::Interval(time::duration_to_proto(every)));
        let schedule = interval.or_else(|| self.rotate_cron.clone().map(Schedule::Cron))?;
        Some(RotationSchedule { schedule: Some(schedule), ..RotationSchedule::default() })
    }

    pub(super) fn overlap(&self) -> Option<prost_types::Duration> {
        self.overlap.map(time::duration_to_proto)
    }

    pub(super) fn pool(&self) -> Option<i32> {
        self.pool
    }
}

/// Five fields; the service reads them.
fn cron(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    match fields.len() {
        5 => Ok(fields.join(" ")),
        _ => Err("give minute, hour, day of month, month and day of week, e.g. \"0 3 1 * *\"".to_owned()),
    }
}

/// `KEY=VALUE`
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is KEY=VALUE".to_owned()),
    }
}

/// Labels, each given once.
pub(super) fn labels(given: &[(String, String)]) -> Result<BTreeMap<String, String>, CliError> {
    let mut labels = BTreeMap::new();
    for (key, value) in given {
        if labels.insert(key.clone(), value.clone()).is_some() {
            return Err(CliError::Usage(format!("--label {key} is given twice")));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_given_twice_is_refused() {
        let given = |pairs: &[&str]| pairs.iter().map(|pair| label(pair).unwrap()).collect::<Vec<_>>();
        assert_eq!(labels(&given(&["a=1", "b=x=y"])).unwrap()["b"], "x=y");
        assert_eq!(labels(&given(&["a=1", "a=2"])).unwrap_err().exit_code(), 64);
    }

    #[test]
    fn a_schedule_has_five_fields() {
        assert_eq!(cron(" 0  3 1 * * ").as_deref(), Ok("0 3 1 * *"));
        assert!(cron("0 0 3 1 * *").is_err());
    }
}
