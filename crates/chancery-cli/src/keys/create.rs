//! `chancery keys create`.
//!
//! **Not here**: many keys at once ([`super::bulk`]).

use super::{
    bulk,
    settings::{self, RotationArgs},
    show,
    template::{Target, target},
};
use crate::{
    call::call,
    cli::Global,
    failure::CliError,
    time,
    words::{self, parser},
};
use chancery_api::{
    names::{OrganizationName, PrincipalName},
    v1::{Algorithm, Check, CreateKeyRequest, Key, Protection, Purpose},
};
use chancery_client::request_id;
use jiff::{SignedDuration, Timestamp};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key's full name: organizations/ORG/keys/KEY; with --count, {} in KEY stands for the number
    #[arg(value_parser = target)]
    name: Target,
    /// What to make
    #[arg(long, value_parser = parser(words::ALGORITHMS))]
    algorithm: Algorithm,
    /// Where the private key lives; it never changes
    #[arg(long, value_parser = parser(words::PROTECTIONS), default_value = "token")]
    protection: Protection,
    /// What the key may be used for; a certify key issues certificates and does nothing else
    /// [default: what the algorithm is for, sign where it has several]
    #[arg(long, value_parser = parser(words::PURPOSES))]
    purpose: Option<Purpose>,
    /// The principal who may use it, of the key's organization: NAME or its full name [default: you]
    #[arg(long, value_name = "PRINCIPAL")]
    owner: Option<String>,
    /// A label; may be given again
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = settings::label)]
    labels: Vec<(String, String)>,
    /// Whether signatures are verified before they are released
    /// [default: always for certify, else sampled in the token and never in the enclave]
    #[arg(long, value_parser = parser(words::CHECKS))]
    check: Option<Check>,
    #[command(flatten)]
    rotation: RotationArgs,
    /// When the first version becomes ACTIVE by itself; it is PRE_ACTIVE until then [default: at once]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    activate_at: Option<Timestamp>,
    /// When the first version becomes DEACTIVATED by itself
    #[arg(long, value_name = "TIME", value_parser = time::parse_time, conflicts_with = "expire_after")]
    expire_at: Option<Timestamp>,
    /// The same, counted from now, e.g. 365d
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    expire_after: Option<SignedDuration>,
    #[command(flatten)]
    bulk: bulk::BulkArgs,
}

/// A principal of the key's organization, by short id or full name.
pub(super) fn owner_name(organization: &OrganizationName, owner: &str) -> Result<PrincipalName, CliError> {
    let name = if owner.contains('/') { PrincipalName::parse_lenient(owner) } else { organization.principal(owner) };
    name.map_err(|error| CliError::Usage(format!("--owner: {error}")))
}

impl Args {
    /// The request, as yet without key and request id.
    fn request(&self, organization: &OrganizationName) -> Result<CreateKeyRequest, CliError> {
        let owner = self.owner.as_deref().map(|owner| owner_name(organization, owner)).transpose()?;
        let expires = (self.expire_after)
            .map(|after| Timestamp::now().checked_add(after))
            .transpose()
            .map_err(|_| CliError::Usage("--expire-after ends after the last date there is".into()))?;
        Ok(CreateKeyRequest {
            parent: organization.to_string(),
            key: Some(Key {
                owner: owner.map(|owner| owner.to_string()).unwrap_or_default(),
                purpose: self.purpose.unwrap_or(Purpose::Unspecified).into(),
                algorithm: self.algorithm.into(),
                protection: self.protection.into(),
                check: self.check.unwrap_or(Check::Unspecified).into(),
                labels: settings::labels(&self.labels)?,
                rotation: self.rotation.schedule(),
                overlap: self.rotation.overlap(),
                pool_size: self.rotation.pool().unwrap_or(0),
                ..Key::default()
            }),
            activate_time: self.activate_at.map(time::to_proto),
            expire_time: self.expire_at.or(expires).map(time::to_proto),
            ..CreateKeyRequest::default()
        })
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let name = match &args.name {
        Target::Many(template) => {
            return bulk::run(global, template, &args.bulk, args.request(template.organization())?).await;
        }
        Target::One(_) if args.bulk.count.is_some() => {
            return Err(CliError::Usage("--count needs {} in the key's name, where the number goes".into()));
        }
        Target::One(name) => name,
    };
    let request = CreateKeyRequest {
        key_id: name.id().to_owned(),
        request_id: request_id(),
        ..args.request(name.organization())?
    };
    let client = global.connect().await?;
    let create = |mut keys: super::Keys, request| async move { keys.create_key(request).await };
    let key = call(&client, client.keys(), &request, create, format!("create {name}")).await?;
    show::print(global.output, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_by_short_id_are_of_the_keys_organization() {
        let organization: OrganizationName = "organizations/org1".parse().unwrap();
        let full = "organizations/org1/principals/peer0";
        for owner in ["peer0", "org1/peer0", full] {
            assert_eq!(owner_name(&organization, owner).unwrap().to_string(), full);
        }
        assert_eq!(owner_name(&organization, "peer 0").unwrap_err().exit_code(), 64);
    }
}
