//! `chancery keys destroy`.

use super::{
    Keys,
    dry_run::{self, Change},
    show,
};
use crate::{call::call, cli::Global, confirm::Confirm, failure::CliError, time};
use chancery_api::{names::KeyVersionName, v1::ScheduleKeyVersionDestructionRequest};
use chancery_client::request_id;
use jiff::SignedDuration;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key version: organizations/ORG/keys/KEY/versions/N
    version: KeyVersionName,
    /// Destroy its key material so long after now, a day to 120 days, e.g. 7d [default: 30d]
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    after: Option<SignedDuration>,
    /// Say what would happen and who would stop working, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: Confirm,
}

impl Args {
    /// What would happen.
    fn consequence(&self) -> String {
        let after = self.after.map_or("30d".to_owned(), |after| time::duration(&time::duration_to_proto(after)));
        format!(
            "{} would sign nothing from now on, and {after} from now its key material would be destroyed for good; \
             until then `chancery keys restore` calls it off.",
            self.version
        )
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    if args.dry_run {
        return dry_run::run(global, &args.version, Change::Destroy(args.after)).await;
    }
    let (key, version) = (args.version.key(), args.version.to_string());
    args.confirm.check(&[key.id(), &key.to_string(), &version], &args.consequence())?;
    let client = global.connect().await?;
    let request = ScheduleKeyVersionDestructionRequest {
        name: version.clone(),
        request_id: request_id(),
        wait: args.after.map(time::duration_to_proto),
        confirm: version,
    };
    let schedule = |mut keys: Keys, request| async move { keys.schedule_key_version_destruction(request).await };
    let key = call(&client, client.keys(), &request, schedule, format!("destroy {}", args.version)).await?;
    show::print(global.output, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_happen_says_when() {
        let args = |after| Args {
            version: "organizations/org1/keys/ca/versions/2".parse().unwrap(),
            after,
            dry_run: false,
            confirm: Confirm::default(),
        };
        assert!(args(Some(SignedDuration::from_hours(48))).consequence().contains("2d from now"));
        assert!(args(None).consequence().contains("30d from now"));
    }
}
