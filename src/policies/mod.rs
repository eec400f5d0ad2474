//! Policies as people handle them: officers read, try out and set their organization's own, the operator loads the base
//! set anew.
//!
//! **Invariants**
//! * A text is parsed and validated whole before it counts for anything; on any error the policies in force stay.
//! * Before a set decides anything its text stands in the log, so that every record's hash leads to what decided it.
//! * An organization's own policies are what the log says. A store that says otherwise is reported at start and changes
//!   nothing: were the text dropped, so were its forbids.
//! * Whoever sets policies may set them again under them: nobody locks its organization out by mistake.
//! * Nothing of another organization's policies, keys or records is read out, nor whether they exist.
//!
//! **Not here**: the language, the schema and the decision (chancery-policy, `access`).

mod explain;
mod recorded;
mod reload;
mod set;
mod simulate;

pub use explain::Question;
pub use reload::Reloaded;
pub use set::{Set, Setting};
pub use simulate::{Change, Simulated, Simulation, Summary};

use crate::{
    access::{Access, Caller, Peer, Target},
    admission::Admission,
    approvals::Approvals,
    changes::Changes,
    error::Error,
    model::{Action, OrganizationName, OrganizationPolicies},
    policy::{Finding, OrganizationSet, PolicyError},
};
use chancery_api::reasons;
use std::{path::PathBuf, sync::Arc};

/// Things to correct that one answer names at most: it has to fit into the headers of HTTP/2.
const MOST_FINDINGS: usize = 16;
/// Characters of each.
const LONGEST_FINDING: usize = 240;

/// See the module.
pub struct PolicyDesk {
    admission: Arc<Admission>,
    changes: Arc<Changes>,
    approvals: Arc<Approvals>,
    /// Where the base set lies.
    directory: PathBuf,
    /// Held while the base set is loaded anew.
    reloading: tokio::sync::Mutex<()>,
    simulations: simulate::UnderWay,
    /// Organizations whose text is parsed or waits for that: one at a time, for it may take seconds of a core.
    checks: simulate::UnderWay,
    parsing: tokio::sync::Mutex<()>,
}

/// An organization's own policies, and the base set that they add to.
#[derive(Debug, Clone)]
pub struct Current {
    /// Its own; an empty text where it has none.
    pub own: OrganizationPolicies,
    /// The hash of its own; `None` without.
    pub hash: Option<[u8; 32]>,
    /// The base set's hash.
    pub base_hash: [u8; 32],
    /// The base set's files, by name.
    pub base: Vec<(String, String)>,
}

impl PolicyDesk {
    /// Over the admitted and the changes; the base set lies in `directory`.
    pub fn new(
        admission: Arc<Admission>,
        changes: Arc<Changes>,
        approvals: Arc<Approvals>,
        directory: PathBuf,
    ) -> Self {
        let (reloading, simulations, checks, parsing) = Default::default();
        Self { admission, changes, approvals, directory, reloading, simulations, checks, parsing }
    }

    fn access(&self) -> &Access {
        self.admission.access()
    }

    /// An organization's own policies from their text; a text that can't be used counts against its caller.
    async fn parse(
        &self,
        caller: &Caller,
        organization: &OrganizationName,
        text: &str,
    ) -> Result<Arc<OrganizationSet>, Error> {
        let Some(_place) = self.checks.enter(organization) else {
            return Err(Error::Precondition {
                reason: reasons::BUSY,
                message: format!("other policies of {organization} are being checked; try again in a moment"),
            });
        };
        let _turn = self.parsing.lock().await;
        match parse(organization.clone(), text.to_owned()).await {
            Ok(set) => Ok(Arc::new(set)),
            Err(error) => Err(self.admission.rejected(caller, error).await),
        }
    }

    /// What decides on an organization's resources.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn current(&self, peer: &Arc<Peer>, organization: OrganizationName) -> Result<Current, Error> {
        let target = Target::Organization(organization.clone());
        let _grant = self.admission.admit(peer, Action::GetPolicies, target).await?;
        let own = self.changes.directory().policies(&organization);
        let none = OrganizationPolicies { organization, text: String::new(), update_time: 0 };
        let policies = self.access().policies();
        let own = own.unwrap_or(none);
        let hash = policies.organization(&own.organization).map(|set| set.hash());
        let base = policies.base();
        Ok(Current { own, hash, base_hash: base.hash(), base: base.files().to_vec() })
    }
}

/// An organization's own policies from their text. Parsing takes time, so that it is done beside the runtime.
async fn parse(organization: OrganizationName, text: String) -> Result<OrganizationSet, Error> {
    let parsed = tokio::task::spawn_blocking(move || OrganizationSet::parse(organization, text)).await;
    parsed.map_err(Error::internal)?.map_err(|error| refused("text", &error, in_text))
}

/// Policies that are refused, as the caller is told it.
fn refused(field: &'static str, error: &PolicyError, spelt: impl Fn(&Finding) -> String) -> Error {
    let findings: Vec<_> = match error {
        PolicyError::Invalid(findings) => {
            // Those that know what was meant before what follows from them.
            let (meant, others): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.help.is_some());
            meant.into_iter().chain(others).map(spelt).collect()
        }
        other => vec![other.to_string()],
    };
    let more = findings.len().saturating_sub(MOST_FINDINGS);
    let mut told: Vec<String> =
        findings.into_iter().take(MOST_FINDINGS).map(|of| of.chars().take(LONGEST_FINDING).collect()).collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    Error::InvalidPolicies { field, findings: told }
}

/// `LINE:COLUMN: message (help)`: the text has no file here.
fn in_text(finding: &Finding) -> String {
    let spelt = finding.to_string();
    spelt.strip_prefix(&finding.file).and_then(|rest| rest.strip_prefix(':')).map_or(spelt.clone(), str::to_owned)
}
