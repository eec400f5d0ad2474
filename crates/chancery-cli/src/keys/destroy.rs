//! `chancery keys destroy`.
//!
//! **Invariant**: nothing is sent before the key was named a second time.

use super::{Keys, show};
use crate::{call::call, cli::Global, failure::CliError, time};
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
    /// The key's name once more, its last part or in full; without it nothing is done
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

impl Args {
    /// Whether the key was named once more.
    fn check(&self) -> Result<(), CliError> {
        let key = self.version.key();
        let names = [key.id().to_owned(), key.to_string(), self.version.to_string()];
        let Some(confirmed) = &self.confirm else {
            let after = self.after.map_or("30d".to_owned(), |after| time::duration(&time::duration_to_proto(after)));
            return Err(CliError::Usage(format!(
                "nothing was done. {} would sign nothing from now on, and {after} from now its key material would be \
                 destroyed for good; until then `chancery keys restore` calls it off. To do it, add --confirm {}",
                self.version,
                key.id()
            )));
        };
        if names.contains(confirmed) {
            return Ok(());
        }
        Err(CliError::Usage(format!("nothing was done: --confirm {confirmed} is not the name of {key}")))
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    args.check()?;
    let client = global.connect().await?;
    let request = ScheduleKeyVersionDestructionRequest {
        name: args.version.to_string(),
        request_id: request_id(),
        wait: args.after.map(time::duration_to_proto),
        confirm: args.version.to_string(),
    };
    let schedule = |mut keys: Keys, request| async move { keys.schedule_key_version_destruction(request).await };
    let key = call(&client, client.keys(), &request, schedule, format!("destroy {}", args.version)).await?;
    show::print(global.output, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_named_once_more_or_nothing_happens() {
        let args = |confirm: Option<&str>| Args {
            version: "organizations/org1/keys/ca/versions/2".parse().unwrap(),
            after: Some(SignedDuration::from_hours(48)),
            confirm: confirm.map(str::to_owned),
        };
        for name in ["ca", "organizations/org1/keys/ca", "organizations/org1/keys/ca/versions/2"] {
            args(Some(name)).check().unwrap();
        }
        for name in ["", "c", "yes", "organizations/org2/keys/ca", "organizations/org1/keys/ca/versions/1"] {
            assert_eq!(args(Some(name)).check().unwrap_err().exit_code(), 64, "{name}");
        }
        let error = args(None).check().unwrap_err();
        assert_eq!(error.exit_code(), 64);
        assert!(error.to_string().contains("2d from now") && error.to_string().contains("--confirm ca"), "{error}");
    }
}
