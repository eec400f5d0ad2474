//! What a certificate is for, and what follows from it.

chancery_model::words! {
    /// A certificate profile. Its extensions and validity depend on nothing else.
    pub enum Profile {
        /// A self-signed certificate authority's, for node certificates and no further authority.
        RootCa = "root-ca",
        /// A Fabric peer's, or another chain's validating node's.
        Peer = "peer",
        /// A Fabric orderer's.
        Orderer = "orderer",
        /// A client application's.
        Client = "client",
        /// A Fabric administrator's. Here it confers nothing by itself.
        Admin = "admin",
        /// The service's own TLS certificate, from the deployment's CA. No caller can ask for it.
        Server = "server",
    }
}

const YEAR: u64 = 365 * 24 * 3600;

impl Profile {
    /// The organizational unit that the subject gets: Fabric's node classification. `None`: the subject is the request's.
    pub fn organizational_unit(self) -> Option<&'static str> {
        match self {
            Self::RootCa | Self::Server => None,
            Self::Peer | Self::Orderer | Self::Client | Self::Admin => Some(self.as_str()),
        }
    }

    /// How long a certificate is valid, in seconds: a root and the service 10 years, others one, of 365 days each.
    pub fn lifetime(self) -> u64 {
        match self {
            Self::RootCa | Self::Server => 10 * YEAR,
            Self::Peer | Self::Orderer | Self::Client | Self::Admin => YEAR,
        }
    }

    /// Whether it may have subject alternative names: what others connect to has them.
    pub fn has_alternative_names(self) -> bool {
        matches!(self, Self::Peer | Self::Orderer | Self::Server)
    }
}
