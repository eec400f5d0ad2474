//! `chancery keys create 'organizations/ORG/keys/NAME-{}' --count N`: many keys, many at a time.
//!
//! **Invariants**
//! * The same command, run again after an interruption, makes what is missing and nothing twice: keys that exist are
//!   counted, and a key whose answer was lost is asked for under the same request id.
//! * After the first error nothing more is begun, what is under way is waited for, and the error says how to go on.

use super::{Keys, template::Template};
use crate::{
    call::call,
    cli::Global,
    failure::{CliError, Doing as _, EXIT_DENIED},
    output::{self, Output},
    progress::Progress,
};
use chancery_api::{
    names::KeyName,
    reasons,
    v1::{CreateKeyRequest, Key, ListKeysRequest},
};
use chancery_client::{Client, ClientError};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{collections::HashSet, ops::RangeInclusive, time::Instant};
use tokio::task::JoinSet;
use uuid::{Builder, Uuid};

/// What a page of the listing holds at most.
const PAGE: i32 = 1000;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct BulkArgs {
    /// Make so many keys, with numbers instead of {} in the name; run it again to go on after an interruption
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(super) count: Option<u64>,
    /// The first number
    #[arg(long, value_name = "N", default_value_t = 1, requires = "count")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=1_000_000_000_000))]
    start: u64,
    /// How many to make at a time
    #[arg(long, value_name = "N", default_value_t = 64, requires = "count")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    in_flight: u16,
    /// A UUID from which, with the key's name, request ids are made; another one begins anew
    #[arg(long, value_name = "UUID", default_value_t = Uuid::nil(), requires = "count")]
    request_namespace: Uuid,
    /// Say how far it is also where stderr is no terminal
    #[arg(long, requires = "count")]
    progress: bool,
}

/// What is to be made.
struct Batch<'b> {
    client: Client,
    template: &'b Template,
    numbers: RangeInclusive<u64>,
    /// As yet without key and request id.
    request: CreateKeyRequest,
    args: &'b BulkArgs,
}

/// What became of the keys.
#[derive(Default)]
struct Counts {
    created: u64,
    /// Were there already.
    existing: u64,
}

/// One creation that ended.
enum Made {
    Created,
    Existed,
}

pub(super) async fn run(
    global: &Global,
    template: &Template,
    args: &BulkArgs,
    request: CreateKeyRequest,
) -> Result<(), CliError> {
    let count = args.count.ok_or_else(|| CliError::Usage("{} in the key's name needs --count".into()))?;
    let numbers = args.start..=args.start + (count - 1);
    // All are as long as the last: if that is a name, all are.
    template.name(*numbers.end(), &numbers).map_err(CliError::Usage)?;
    let (client, start) = (global.connect().await?, Instant::now());
    let batch = Batch { client, template, numbers, request, args };
    let there = batch.existing().await?;

    let mut counts = Counts { existing: there.len() as u64, ..Counts::default() };
    let progress = Progress::new(count, "keys", args.progress);
    progress.set(counts.existing);
    let failed = batch.create(&there, &mut counts, &progress).await;
    progress.finish();

    print(global.output, template, count, &counts, start.elapsed().as_secs_f64())?;
    match failed {
        None => Ok(()),
        Some((name, error)) => Err(error).doing(format!(
            "create {name} ({} of {count} keys are there; the same command goes on with the rest)",
            counts.created + counts.existing
        )),
    }
}

impl Batch<'_> {
    /// Creates what is missing; the first error ends it.
    async fn create(
        &self,
        there: &HashSet<u64>,
        counts: &mut Counts,
        progress: &Progress,
    ) -> Option<(KeyName, ClientError)> {
        let mut missing = self.numbers.clone().filter(|number| !there.contains(number));
        let mut under_way = JoinSet::new();
        let mut failed = None;
        loop {
            while failed.is_none() && under_way.len() < self.args.in_flight.into() {
                let name = missing.next().and_then(|number| self.template.name(number, &self.numbers).ok());
                let Some(name) = name else { break };
                let request = CreateKeyRequest {
                    key_id: name.id().to_owned(),
                    request_id: request_id(self.args.request_namespace, &name),
                    ..self.request.clone()
                };
                let client = self.client.clone();
                under_way.spawn(async move { create_one(&client, request).await.map_err(|error| (name, error)) });
            }
            match under_way.join_next().await {
                None => return failed,
                Some(Ok(Ok(Made::Created))) => counts.created += 1,
                Some(Ok(Ok(Made::Existed))) => counts.existing += 1,
                // Those that fail after it, fail for the same cause more often than not.
                Some(Ok(Err(error))) => failed = failed.or(Some(error)),
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            }
            progress.set(counts.created + counts.existing);
        }
    }

    /// The numbers of the keys that exist already.
    ///
    /// # Errors
    /// [`CliError::Rejected`] when one of them is not what is asked for.
    async fn existing(&self) -> Result<HashSet<u64>, CliError> {
        let Self { client, template, .. } = self;
        let mut request = ListKeysRequest {
            parent: template.organization().to_string(),
            page_size: PAGE,
            filter: template.filter(),
            ..ListKeysRequest::default()
        };
        let mut there = HashSet::new();
        loop {
            let list = |mut keys: Keys, request| async move { keys.list_keys(request).await };
            let doing = format!("list the keys {template} that exist");
            let page = match call(client, client.keys(), &request, list, doing).await {
                // Whoever may make keys and not list them learns of each when it is asked for.
                Err(error) if error.exit_code() == EXIT_DENIED => return Ok(there),
                page => page?,
            };
            for key in &page.keys {
                let number = key.name.parse().ok().and_then(|name| template.number(&name, &self.numbers));
                if let Some(number) = number {
                    check(key, &self.request)?;
                    there.insert(number);
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(there);
            }
            request.page_token = page.next_page_token;
        }
    }
}

async fn create_one(client: &Client, request: CreateKeyRequest) -> Result<Made, ClientError> {
    let made = client
        .retry(|attempt| {
            let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
            async move { keys.create_key(request).await }
        })
        .await;
    match made {
        Ok(_) => Ok(Made::Created),
        Err(error) if error.reason.as_deref() == Some(reasons::ALREADY_EXISTS) => Ok(Made::Existed),
        Err(error) => Err(error),
    }
}

/// Whether a key that exists is one that was asked for.
fn check(key: &Key, request: &CreateKeyRequest) -> Result<(), CliError> {
    let asked = request.key.as_ref().map(|key| (key.algorithm, key.protection));
    if asked == Some((key.algorithm, key.protection)) {
        return Ok(());
    }
    Err(CliError::Rejected(format!(
        "{} exists with another algorithm or protection: choose other names, or ask for what it is",
        key.name
    )))
}

/// A request id of its own for each key, the same whenever the command is run (UUID version 8, RFC 9562 §5.8).
fn request_id(namespace: Uuid, name: &KeyName) -> String {
    let hash: [u8; 32] = Sha256::new()
        .chain_update("chancery keys create\n")
        .chain_update(namespace.as_bytes())
        .chain_update(name.to_string())
        .finalize()
        .into();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(id).into_uuid().to_string()
}

fn print(form: Output, template: &Template, count: u64, counts: &Counts, seconds: f64) -> Result<(), CliError> {
    let Counts { created, existing } = counts;
    let missing = count - created - existing;
    if form == Output::Json {
        return output::json(&json!({
            "name": template.to_string(),
            "count": count,
            "created": created,
            "existing": existing,
            "missing": missing,
            "seconds": seconds,
        }));
    }
    let rate = *created as f64 / seconds.max(1e-9);
    let mut line = format!("{created} keys created in {seconds:.1} s ({rate:.0}/s)");
    if *existing > 0 {
        line += &format!(", {existing} were there");
    }
    if missing > 0 {
        line += &format!(", {missing} are missing");
    }
    output::summary(false, &line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_api::v1::{Algorithm, Protection};

    #[test]
    fn request_ids_are_of_the_name_and_the_namespace() {
        let name = |id: &str| format!("organizations/org1/keys/{id}").parse().unwrap();
        let (nil, other) = (Uuid::nil(), Uuid::from_u128(1));
        let id = request_id(nil, &name("batch-1"));
        assert_eq!(id, request_id(nil, &name("batch-1")));
        assert_ne!(id, request_id(nil, &name("batch-2")));
        assert_ne!(id, request_id(other, &name("batch-1")));
        assert_eq!(id.parse::<Uuid>().unwrap().get_version_num(), 8);
    }

    #[test]
    fn a_key_of_another_kind_is_not_counted() {
        let key = |algorithm: Algorithm| Key {
            algorithm: algorithm.into(),
            protection: Protection::Enclave.into(),
            ..Key::default()
        };
        let request = CreateKeyRequest { key: Some(key(Algorithm::Sm2)), ..CreateKeyRequest::default() };
        check(&key(Algorithm::Sm2), &request).unwrap();
        assert_eq!(check(&key(Algorithm::EcP256), &request).unwrap_err().exit_code(), 65);
    }
}
