//! Nouns without I/O: principals, roles, actions, algorithms, keys and their states.
//!
//! **Invariant**: a value here is consistent in itself; parsing happened before.
//!
//! **Not here**: resource names (chancery-api), decisions (chancery-policy), storage (the service).
#![forbid(unsafe_code)]

mod action;
mod algorithm;
mod key;
mod lifecycle;
mod object;
mod principal;
mod registry;
mod request;

pub use action::{Action, Scheduled};
pub use algorithm::{Algorithm, CipherMode, Hash, Mechanism, Mode, OaepHash, RsaPadding, SignatureFormat};
pub use chancery_api::names::{
    BackupName, KeyName, KeyOrVersionName, KeyVersionName, NameError, OrganizationName, PrincipalName,
};
pub use key::{Backup, Check, Key, KeyState, KeyVersion, Origin, Protection, Purpose, Rotation};
pub use lifecycle::{LifecycleError, LifecycleEvent, Stage, TABLE as LIFECYCLE};
pub use object::{
    CertificateObject, Half, KeyObjects, KeyStanding, LONGEST_ATTRIBUTE, ObjectId, ObjectName, ObjectNameError,
    SetObject,
};
pub use principal::{NamePattern, Organization, Principal, Registration, Role, TrustAnchor, covers};
pub use registry::{
    Approval, Group, KEYS_PER_NODE, Limit, LimitSubject, Node, NodeKey, OrganizationPolicies, RevocationList,
    Suspended, Suspension, Usage,
};
pub use request::RequestId;

/// Defines an enum whose values have one text form each: in records, the store, policies and on the command line.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $doc])+ $variant),+ }

        impl $name {
            /// All values, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The text form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    let offered = Self::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", ");
                    $crate::UnknownWord { given: text.chars().take(80).collect(), offered }
                })
            }
        }
    };
}
/// A word that is none of those offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is none of: {offered}")]
pub struct UnknownWord {
    /// What was given, cut to 80 characters.
    pub given: String,
    /// The words there are, with commas between.
    pub offered: String,
}
