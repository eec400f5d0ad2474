//! Trust anchors: who vouches for an organization's members, and for which names.

use super::{Asked, Edit, NewAnchor, Registrar, given::require_patterns, proof, refused, require_confirmed};
use crate::{
    access::{Grant, Peer, Target},
    certificates::{AuthorityCertificate, CertificateList},
    error::Error,
    identity::UnixTime,
    model::{Action, NamePattern, OrganizationName, RequestId, TrustAnchor},
    store::{Row, anchor_name},
};
use chancery_api::reasons;
use std::{fmt, str::FromStr, sync::Arc};

/// Trust anchors that an organization may have: every handshake looks at all.
pub(super) const MOST_ANCHORS: usize = 32;

/// Which trust anchor, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorName {
    /// Whose.
    pub organization: OrganizationName,
    /// The last part of its name.
    pub id: String,
}

impl FromStr for AnchorName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "`organizations/{organization}/anchors/{anchor}` expected, the last part 32 of 0-9 and a-f";
        let (organization, id) = text.split_once("/anchors/").ok_or(EXPECTED)?;
        if id.len() != 32 || !id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(EXPECTED);
        }
        Ok(Self { organization: organization.parse().map_err(|_| EXPECTED)?, id: id.to_owned() })
    }
}

impl fmt::Display for AnchorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/anchors/{}", self.organization, self.id)
    }
}

/// A trust anchor as callers see it.
#[derive(Debug, Clone)]
pub struct AnchorView {
    /// The anchor.
    pub anchor: TrustAnchor,
    /// What its certificate says.
    pub authority: AuthorityCertificate,
    /// The revocation list in force for its key.
    pub list: Option<Arc<CertificateList>>,
}

impl Registrar {
    /// Registers a trust anchor: with the proof that its key's holder wants it, or with a second officer.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_anchor(
        &self,
        peer: Arc<Peer>,
        organization: OrganizationName,
        new: NewAnchor,
        proof: Vec<u8>,
        confirm: String,
        request: RequestId,
    ) -> Result<AnchorView, Error> {
        let target = Target::Organization(organization.clone());
        let asked = Asked { action: Action::AddTrustAnchor, target, request, field: "anchor.certificate" };
        let row = self.change(&peer, asked, |_| {
            require_confirmed(&confirm, organization.id())?;
            let anchor = new.of(&organization, "anchor.certificate")?;
            let authority = parsed(&anchor).map_err(|error| Error::invalid("anchor.certificate", error))?;
            if UnixTime::now().as_secs() > *authority.validity().end() {
                return Err(Error::invalid("anchor.certificate", "it has expired; give the authority's present one"));
            }
            let all = self.directory().anchors(&organization, "", usize::MAX);
            let kept = all.into_iter().filter(|anchor| !anchor.removed).collect::<Vec<_>>();
            if kept.iter().any(|kept| kept.certificate == anchor.certificate) {
                return Err(Error::AlreadyExists(anchor_name(&anchor)));
            }
            if kept.len() >= MOST_ANCHORS {
                let why = format!("{organization} has {MOST_ANCHORS} trust anchors; remove one first");
                return Err(Error::invalid("anchor", why));
            }
            if !proof.is_empty() {
                proof::require(&authority, &self.proof_text(&organization), &proof)?;
            }
            // An authority that may name members can name itself the bearer of any key: the proof is no officer's word.
            let dangerous = proof.is_empty() || !anchor.patterns.is_empty();
            let summary = format!(
                "has {}, {}, vouch for members: {}",
                subject(&authority),
                identified(&anchor)?,
                may(&anchor.patterns)
            );
            let answer = Row::Anchor(anchor);
            Ok(Edit { rows: vec![answer.clone()], answer, dangerous: dangerous.then_some(summary) })
        });
        self.view(row.await?)
    }

    /// What the proof of an anchor of this organization is over.
    pub fn proof_text(&self, organization: &OrganizationName) -> Vec<u8> {
        proof::text(self.directory().deployment(), organization)
    }

    /// An organization's trust anchors after the one whose name ends with `after`, removed ones too, and whether there
    /// are more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn anchors(
        &self,
        peer: &Arc<Peer>,
        organization: &OrganizationName,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<AnchorView>, bool), Error> {
        let target = Target::Organization(organization.clone());
        let _grant = self.admit(peer, Action::ListTrustAnchors, target).await?;
        let mut found = self.directory().anchors(organization, after, limit + 1);
        let more = found.len() > limit;
        found.truncate(limit);
        let views = found.into_iter().map(|anchor| self.view(Row::Anchor(anchor)));
        Ok((views.collect::<Result<_, _>>()?, more))
    }

    /// Changes the names that an anchor may make peer, orderer or client.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update_anchor(
        &self,
        peer: Arc<Peer>,
        name: AnchorName,
        patterns: Vec<NamePattern>,
        confirm: String,
        request: RequestId,
    ) -> Result<AnchorView, Error> {
        let row = self.alter(&peer, Action::UpdateTrustAnchor, name, confirm, request, |_, before| {
            require_patterns(&patterns)?;
            let summary = format!("lets {} name members: {}", identified(&before)?, may(&patterns));
            Ok((TrustAnchor { patterns, ..before }, summary))
        });
        self.view(row.await?)
    }

    /// Has an anchor vouch for nobody any more.
    ///
    /// # Errors
    /// [`Error`]; `WRONG_STATE` when it is the last one that vouches for the caller.
    pub async fn remove_anchor(
        &self,
        peer: Arc<Peer>,
        name: AnchorName,
        confirm: String,
        request: RequestId,
    ) -> Result<AnchorView, Error> {
        let row = self.alter(&peer, Action::RemoveTrustAnchor, name, confirm, request, |grant, before| {
            let summary = format!("removes {}: nobody whom it vouches for is let in any more", identified(&before)?);
            let after = TrustAnchor { removed: true, ..before };
            self.require_caller_stays(grant, "name", &[Row::Anchor(after.clone())])?;
            Ok((after, summary))
        });
        self.view(row.await?)
    }

    /// One change of an anchor that is in use.
    async fn alter(
        &self,
        peer: &Arc<Peer>,
        action: Action,
        name: AnchorName,
        confirm: String,
        request: RequestId,
        edit: impl FnOnce(&Grant, TrustAnchor) -> Result<(TrustAnchor, String), Error> + Send,
    ) -> Result<Row, Error> {
        let target = Target::Organization(name.organization.clone());
        let asked = Asked { action, target, request, field: "patterns" };
        let change = self.change(peer, asked, |grant| {
            let before = self.anchor_in_use(&name)?;
            require_confirmed(&confirm, &name.id)?;
            let (after, summary) = edit(grant, before.clone())?;
            let changed = after != before;
            let answer = Row::Anchor(after);
            let rows = if changed { vec![answer.clone()] } else { Vec::new() };
            Ok(Edit { rows, answer, dangerous: changed.then_some(summary) })
        });
        change.await
    }

    /// An anchor that was not removed.
    pub(super) fn anchor_in_use(&self, name: &AnchorName) -> Result<TrustAnchor, Error> {
        let found = self.directory().anchor(&name.organization, &name.id);
        match found.ok_or_else(|| Error::NotFound(name.to_string()))? {
            removed if removed.removed => Err(Error::Precondition {
                reason: reasons::WRONG_STATE,
                message: format!("{name} was removed; add it again if it is to vouch for members"),
            }),
            found => Ok(found),
        }
    }

    /// Refuses a change after which its own maker would be nobody any more.
    pub(super) fn require_caller_stays(&self, grant: &Grant, field: &'static str, rows: &[Row]) -> Result<(), Error> {
        let registry = self.directory().with(rows).map_err(|error| refused(field, &error))?;
        match self.admission.access().identify_by(grant, &registry) {
            Ok(found) if found.principal == *grant.caller().principal() => Ok(()),
            _ => Err(Error::Precondition {
                reason: reasons::WRONG_STATE,
                message:
                    "this would lock you out yourself; have an officer do it who does not depend on what is changed"
                        .into(),
            }),
        }
    }

    /// An anchor's row with what its certificate and its key's revocation list say.
    pub(super) fn view(&self, row: Row) -> Result<AnchorView, Error> {
        let Row::Anchor(anchor) = row else {
            return Err(Error::internal(format!("{} is no trust anchor", row.name())));
        };
        let authority = parsed(&anchor).map_err(Error::internal)?;
        let list = self.directory().registry().load().list(&authority.public_key().sha256()).cloned();
        Ok(AnchorView { anchor, authority, list })
    }
}

pub(super) fn parsed(anchor: &TrustAnchor) -> Result<AuthorityCertificate, crate::certificates::CertificateError> {
    AuthorityCertificate::parse(&anchor.certificate)
}

/// An anchor's name and public key, for the officer who compares them.
fn identified(anchor: &TrustAnchor) -> Result<String, Error> {
    let authority = parsed(anchor).map_err(Error::internal)?;
    let key = hex::encode(authority.public_key().sha256());
    Ok(format!("{} (public key SHA-256 {key})", anchor_name(anchor)))
}

fn subject(authority: &AuthorityCertificate) -> String {
    crate::certificates::quoted(&authority.subject().to_string())
}

/// What patterns allow, for the officer who approves them.
fn may(patterns: &[NamePattern]) -> String {
    let each = patterns.iter().map(|pattern| format!("{} `{}`", pattern.role, pattern.pattern));
    let all = each.collect::<Vec<_>>().join(", ");
    if all.is_empty() { "none by certificate alone".to_owned() } else { all }
}
