//! A deployment that clients reach at two addresses, one of which is a forwarder's.

use crate::{forwarder::Forwarder, harness::Deployment};
use std::fs;

/// What a client's configuration with two addresses is called, beside the one that `chanceryd dev` keeps.
pub(crate) const CONFIGURATION: &str = "two-addresses.toml";

/// See the module.
pub(crate) struct Stage {
    pub(crate) deployment: Deployment,
    pub(crate) forwarder: Forwarder,
}

impl Stage {
    /// With a configuration for each principal of org1 that may make keys.
    pub(crate) fn start() -> Self {
        let deployment = Deployment::start();
        let forwarder = Forwarder::to(deployment.address());
        let one = format!("addresses   = [\"{}\"]", deployment.address());
        let two = format!("addresses   = [\"{}\", \"{}\"]", forwarder.address(), deployment.address());
        for principal in ["peer0", "client", "orderer0", "ca"] {
            let home = deployment.client_dir(&format!("org1-{principal}"));
            let text = fs::read_to_string(home.join("pkcs11.toml")).unwrap();
            assert!(text.contains(&one), "{text}");
            fs::write(home.join(CONFIGURATION), text.replace(&one, &two)).unwrap();
        }
        Self { deployment, forwarder }
    }
}
