//! `chancery keys create`.

use super::show;
use crate::{
    cli::Global,
    failure::{CliError, Doing as _},
    words::{self, parser},
};
use chancery_api::{
    names::{KeyName, PrincipalName},
    v1::{Algorithm, Check, CreateKeyRequest, Key, Protection, Purpose},
};
use chancery_client::request_id;
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key's full name: organizations/ORG/keys/KEY
    name: KeyName,
    /// What to make
    #[arg(long, value_parser = parser(words::ALGORITHMS))]
    algorithm: Algorithm,
    /// Where the private key lives; it never changes
    #[arg(long, value_parser = parser(words::PROTECTIONS), default_value = "token")]
    protection: Protection,
    /// What the key may be used for: signing, or issuing certificates and nothing else
    #[arg(long, value_parser = parser(words::PURPOSES), default_value = "sign")]
    purpose: Purpose,
    /// The principal who may use it, of the key's organization: NAME or its full name [default: you]
    #[arg(long, value_name = "PRINCIPAL")]
    owner: Option<String>,
    /// A label; may be given again
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Whether signatures are verified before they are released [default: always for certify, else sampled]
    #[arg(long, value_parser = parser(words::CHECKS))]
    check: Option<Check>,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is KEY=VALUE".to_owned()),
    }
}

/// A principal of the key's organization, by short id or full name.
fn owner_name(key: &KeyName, owner: &str) -> Result<PrincipalName, CliError> {
    let name =
        if owner.contains('/') { PrincipalName::parse_lenient(owner) } else { key.organization().principal(owner) };
    name.map_err(|error| CliError::Usage(format!("--owner: {error}")))
}

impl Args {
    fn request(&self) -> Result<CreateKeyRequest, CliError> {
        let mut labels = BTreeMap::new();
        for (key, value) in &self.labels {
            if labels.insert(key.clone(), value.clone()).is_some() {
                return Err(CliError::Usage(format!("--label {key} is given twice")));
            }
        }
        let owner = self.owner.as_deref().map(|owner| owner_name(&self.name, owner)).transpose()?;
        Ok(CreateKeyRequest {
            parent: self.name.organization().to_string(),
            key_id: self.name.id().to_owned(),
            key: Some(Key {
                owner: owner.map(|owner| owner.to_string()).unwrap_or_default(),
                purpose: self.purpose.into(),
                algorithm: self.algorithm.into(),
                protection: self.protection.into(),
                check: self.check.unwrap_or(Check::Unspecified).into(),
                labels,
                ..Key::default()
            }),
            request_id: request_id(),
        })
    }
}

pub(super) async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let request = args.request()?;
    let client = global.connect().await?;
    let key = client
        .retry(|attempt| {
            let (mut keys, request) = (client.keys(), attempt.request(request.clone()));
            async move { keys.create_key(request).await }
        })
        .await
        .doing(format!("create {}", args.name))?;
    show::print(global.output, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_by_short_id_are_of_the_keys_organization() {
        let key: KeyName = "organizations/org1/keys/peer0".parse().unwrap();
        let full = "organizations/org1/principals/peer0";
        for owner in ["peer0", "org1/peer0", full] {
            assert_eq!(owner_name(&key, owner).unwrap().to_string(), full);
        }
        assert_eq!(owner_name(&key, "peer 0").unwrap_err().exit_code(), 64);
    }
}
