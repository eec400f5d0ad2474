//! `chancery organizations | anchors | principals | suspensions | groups | limits`: who may do what, and how much.
//!
//! **Invariants**
//! * What the service calls dangerous is not sent before its name was repeated ([`crate::confirm`]).
//! * Names may be given short, `ORG/NAME`, wherever only one kind of thing can be meant; tables show them short, JSON in
//!   full.
//!
//! **Not here**: policies, approvals by a second officer.

pub(crate) mod anchors;
mod certificate;
mod fingerprint;
pub(crate) mod groups;
pub(crate) mod limits;
mod names;
mod new_anchors;
pub(crate) mod organizations;
pub(crate) mod principals;
mod roles;
pub(crate) mod suspensions;
mod table;

use crate::{
    cli::{Global, connect, organization_or_default},
    failure::CliError,
    keys::organization,
};
use chancery_api::{names::OrganizationName, v1::admin_service_client::AdminServiceClient};
use chancery_client::{Client, Transport};

/// What calls about the registry go through.
type Admin = AdminServiceClient<Transport>;

/// The largest page, so that a registry comes in few calls.
const PAGE: i32 = 1_000;

/// An organization whose registry is read.
#[derive(Debug, clap::Args)]
pub(crate) struct OfOrganization {
    /// organizations/ORG or ORG [default: `organization` in the client's configuration]
    #[arg(value_parser = organization)]
    organization: Option<OrganizationName>,
}

impl OfOrganization {
    /// Connects, and says which organization is meant.
    async fn open(&self, global: &Global) -> Result<(Client, OrganizationName), CliError> {
        let config = global.config()?;
        let organization = organization_or_default(&config, self.organization.as_ref())?.clone();
        Ok((connect(&config).await?, organization))
    }
}
