//! `chancery keys update`.
//!
//! **Invariant**: only what was named is changed; labels that were not named stay.

use super::{
    Keys, read,
    settings::{self, RotationArgs},
    show,
};
use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    time,
    words::{self, parser},
};
use chancery_api::{
    names::KeyOrVersionName,
    v1::{Check, Key, KeyVersion, UpdateKeyRequest},
};
use chancery_client::{Client, request_id};
use jiff::Timestamp;
use prost_types::FieldMask;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key or, to change its dates, a key version
    name: KeyOrVersionName,
    /// Set a label; may be given again
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = settings::label)]
    labels: Vec<(String, String)>,
    /// Take a label away; may be given again
    #[arg(long = "remove-label", value_name = "KEY")]
    removed: Vec<String>,
    /// Whether signatures are verified before they are released
    #[arg(long, value_parser = parser(words::CHECKS))]
    check: Option<Check>,
    #[command(flatten)]
    rotation: RotationArgs,
    /// Rotate the key only when asked to
    #[arg(long, conflicts_with_all = ["rotate_every", "rotate_cron"])]
    no_rotation: bool,
    /// Let the version before sign, where it is named, until it is deactivated
    #[arg(long, conflicts_with = "overlap")]
    no_overlap: bool,
    /// A version: when it becomes ACTIVE by itself
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    activate_at: Option<Timestamp>,
    /// A version: when it becomes DEACTIVATED by itself
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    expire_at: Option<Timestamp>,
}

impl Args {
    /// The fields to change, as yet without labels.
    fn change(&self) -> Result<(Key, Vec<&'static str>), CliError> {
        let mut key = Key { name: self.name.key().to_string(), ..Key::default() };
        let mut paths = Vec::new();
        if let Some(check) = self.check {
            key.check = check.into();
            paths.push("check");
        }
        key.rotation = self.rotation.schedule();
        if key.rotation.is_some() || self.no_rotation {
            paths.push("rotation");
        }
        key.overlap = self.rotation.overlap();
        if key.overlap.is_some() || self.no_overlap {
            paths.push("overlap");
        }
        if let Some(pool) = self.rotation.pool() {
            key.pool_size = pool;
            paths.push("pool_size");
        }
        if self.changes_labels() {
            paths.push("labels");
        }
        let dates = [(self.activate_at, "versions.activate_time"), (self.expire_at, "versions.expire_time")];
        let dated = dates.iter().any(|(date, _)| date.is_some());
        match &self.name {
            KeyOrVersionName::Key(_) if dated => {
                return Err(CliError::Usage("dates are a version's: name …/versions/N".into()));
            }
            KeyOrVersionName::Version(_) if !paths.is_empty() => {
                return Err(CliError::Usage("a version has dates only: name the key to change the rest".into()));
            }
            KeyOrVersionName::Version(version) => key.versions.push(KeyVersion {
                name: version.to_string(),
                activate_time: self.activate_at.map(time::to_proto),
                expire_time: self.expire_at.map(time::to_proto),
                ..KeyVersion::default()
            }),
            KeyOrVersionName::Key(_) => {}
        }
        paths.extend(dates.iter().filter(|(date, _)| date.is_some()).map(|(_, path)| path));
        if paths.is_empty() {
            return Err(CliError::Usage("name what to change, e.g. --label env=production".into()));
        }
        Ok((key, paths))
    }

    fn changes_labels(&self) -> bool {
        !self.labels.is_empty() || !self.removed.is_empty()
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let (mut key, paths) = args.change()?;
    let set = settings::labels(&args.labels)?;
    let client = global.connect().await?;
    if args.changes_labels() {
        // The service takes all of a key's labels or none.
        key.labels = labels(&client, args).await?;
        key.labels.extend(set);
    }
    let update_mask = FieldMask { paths: paths.into_iter().map(str::to_owned).collect() };
    let request = UpdateKeyRequest { key: Some(key), update_mask: Some(update_mask), request_id: request_id() };
    let update = |mut keys: Keys, request| async move { keys.update_key(request).await };
    let updated = call(&client, client.keys(), &request, update, format!("update {}", args.name)).await?;
    show::print(global.output, &updated)
}

/// The labels that the key has and keeps.
async fn labels(client: &Client, args: &Args) -> Result<std::collections::BTreeMap<String, String>, CliError> {
    let mut labels = read(client, args.name.key()).await?.labels;
    for gone in &args.removed {
        if labels.remove(gone).is_none() {
            return Err(CliError::Rejected(format!("{} has no label {gone}", args.name)));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn change(line: &str) -> Result<(Key, Vec<&'static str>), u8> {
        let words = format!("update organizations/org1/keys/{line}");
        let line = Line::try_parse_from(words.split_whitespace()).map_err(|_| 2)?;
        line.args.change().map_err(|error| error.exit_code())
    }

    #[test]
    fn the_mask_names_what_was_named() {
        let mask = |line| change(line).map(|(_, paths)| paths.join(","));
        assert_eq!(mask("a --label x=y --check never").as_deref(), Ok("check,labels"));
        assert_eq!(mask("a --rotate-every 90d --overlap 7d --pool 0").as_deref(), Ok("rotation,overlap,pool_size"));
        assert_eq!(mask("a --no-rotation --no-overlap").as_deref(), Ok("rotation,overlap"));
        let (key, paths) = change("a/versions/2 --expire-at 2027-01-01T00:00:00Z").unwrap();
        assert_eq!((paths.join(","), key.versions.len()), ("versions.expire_time".to_owned(), 1));
        assert_eq!(key.name, "organizations/org1/keys/a");
    }

    #[test]
    fn keys_and_versions_have_fields_of_their_own() {
        for line in ["a", "a --expire-at 2027-01-01T00:00:00Z", "a/versions/2 --pool 3", "a/versions/2"] {
            assert_eq!(change(line).unwrap_err(), 64, "{line}");
        }
        for line in ["a --no-rotation --rotate-every 1d", "a --overlap 1d --no-overlap", "a --pool 17"] {
            assert_eq!(change(line).unwrap_err(), 2, "{line}");
        }
    }
}
