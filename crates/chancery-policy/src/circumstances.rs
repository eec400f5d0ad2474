//! With which circumstances each action is asked.
//!
//! **Invariant**: agrees with policies/schema.cedarschema; `vocabulary` has the test.
//!
//! **Not here**: `context.session`, which every action has (`session`).

use super::{
    Context, ContextValue, Session,
    session::Attribute,
    translate::TranslateError,
    vocabulary::{Vocabulary, Words},
};
use chancery_model::{Action, Mode, PrincipalName};

/// What a circumstance is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// Yes or no; may be absent, which policies must ask first.
    OptionalFlag,
    /// A text that may be absent.
    OptionalText,
    /// A number that may be absent.
    OptionalNumber,
    /// A principal's full name, given to policies as the principal and its organization.
    Principal { organization: &'static str },
    /// A word of the list.
    Word(fn(&Vocabulary) -> &Words),
    /// A hash's name, or `""`, which policies see as "none".
    Hash,
    /// A mode's name; where it is absent policies see "default".
    Mode,
}

impl Kind {
    /// It may be absent.
    pub(super) fn is_optional(self) -> bool {
        matches!(self, Self::OptionalFlag | Self::OptionalText | Self::OptionalNumber)
    }

    /// What policies see where it is absent, though they need not ask.
    pub(super) fn unless_given(self) -> Option<Value<'static>> {
        let modes = &Vocabulary::shared().modes;
        matches!(self, Self::Mode).then_some(Value::Word(modes, Mode::Default as usize))
    }

    /// A request may come without it.
    pub(super) fn may_be_left_out(self) -> bool {
        self.is_optional() || self.unless_given().is_some()
    }
}

/// Names and kinds of the circumstances that `action` is asked with.
pub(super) fn circumstances(action: Action) -> &'static [(&'static str, Kind)] {
    const SIGN: &[(&str, Kind)] =
        &[("input", Kind::Word(|vocabulary| &vocabulary.inputs)), ("hash", Kind::Hash), ("size", Kind::Number)];
    const REQUEST: &[(&str, Kind)] = &[("subject", Kind::Text)];
    const ISSUE: &[(&str, Kind)] =
        &[("profile", Kind::Word(|vocabulary| &vocabulary.profiles)), ("commonName", Kind::Text)];
    const CREATE: &[(&str, Kind)] = &[
        ("key", Kind::Text),
        ("owner", Kind::Principal { organization: "ownerOrganization" }),
        ("purpose", Kind::Word(|vocabulary| &vocabulary.purposes)),
        ("algorithm", Kind::Word(|vocabulary| &vocabulary.algorithms)),
        ("protection", Kind::Word(|vocabulary| &vocabulary.protections)),
    ];
    const SIZE: &[(&str, Kind)] = &[("size", Kind::Number)];
    const CIPHER: &[(&str, Kind)] = &[("size", Kind::Number), ("mode", Kind::Mode)];
    const RESTORE: &[(&str, Kind)] =
        &[("withoutLog", Kind::OptionalFlag), ("log", Kind::OptionalText), ("loggedStates", Kind::OptionalNumber)];
    const BACKUP: &[(&str, Kind)] = &[("threshold", Kind::Number), ("custodians", Kind::Text)];
    const WAIT: &[(&str, Kind)] = &[("waitSeconds", Kind::Number)];
    const REGISTER: &[(&str, Kind)] = &[("name", Kind::Text), ("role", Kind::Word(|vocabulary| &vocabulary.roles))];
    const ROTATE: &[(&str, Kind)] = &[("mayEnrol", Kind::OptionalFlag)];
    const STANDING: (&str, Kind) = ("standing", Kind::Word(|vocabulary| &vocabulary.standings));
    const OBJECT: [(&str, Kind); 3] = [("object", Kind::Text), ("ski", Kind::Text), ("id", Kind::Text)];
    const CHANGE: &[(&str, Kind)] = &[STANDING, OBJECT[0], OBJECT[1], OBJECT[2], ("renames", Kind::Flag)];
    const DROP: &[(&str, Kind)] = &[STANDING, OBJECT[0], OBJECT[1], OBJECT[2], ("last", Kind::Flag)];
    match action {
        Action::Sign => SIGN,
        Action::CreateCertificateSigningRequest => REQUEST,
        Action::IssueCertificate => ISSUE,
        Action::CreateKey | Action::ImportKey => CREATE,
        Action::ScheduleKeyVersionDestruction => WAIT,
        Action::BackUpKeys => BACKUP,
        Action::RestoreBackup => RESTORE,
        Action::Encrypt | Action::Decrypt => CIPHER,
        Action::GenerateMac | Action::VerifyMac | Action::WrapKey | Action::UnwrapKey | Action::GenerateRandom => SIZE,
        Action::RotateKey | Action::ActivateKeyVersion => ROTATE,
        Action::RegisterPrincipal => REGISTER,
        Action::UpdateObject | Action::CopyObject => CHANGE,
        Action::DeleteObject => DROP,
        Action::Verify
        | Action::GetPublicKey
        | Action::GetKey
        | Action::UpdateKey
        | Action::SuspendKeyVersion
        | Action::DeactivateKeyVersion
        | Action::MarkKeyVersionCompromised
        | Action::RestoreKeyVersion
        | Action::AttestKeyVersion
        | Action::CreateImportJob
        | Action::RewrapKeys
        | Action::ListBackups
        | Action::CreateRestoreJob
        | Action::ConfirmClock
        | Action::DeriveSharedSecret
        | Action::BindCertificate
        | Action::ListKeys
        | Action::ListRecords
        | Action::TailRecords
        | Action::GetCheckpoint
        | Action::GetInclusionProof
        | Action::GetConsistencyProof
        | Action::AddCosignature
        | Action::GetKeyUsage
        | Action::GetOrganization
        | Action::UpdateOrganization
        | Action::AddTrustAnchor
        | Action::ListTrustAnchors
        | Action::UpdateTrustAnchor
        | Action::RemoveTrustAnchor
        | Action::UpdateRevocationList
        | Action::ListPrincipals
        | Action::UnregisterPrincipal
        | Action::ApprovePrincipalKey
        | Action::SuspendPrincipal
        | Action::LiftSuspension
        | Action::ListSuspensions
        | Action::UpdateGroup
        | Action::ListGroups
        | Action::GetPolicies
        | Action::SetPolicies
        | Action::ExplainDecision
        | Action::SimulatePolicies
        | Action::SetLimit
        | Action::ListLimits
        | Action::ListApprovals
        | Action::ApproveOperation
        | Action::CancelApproval
        | Action::CreateOrganization
        | Action::ListOrganizations
        | Action::ReloadPolicies
        | Action::GetTokenStatus
        | Action::ListObjects
        | Action::RenewSessionObjects
        | Action::CreateCertificateObject
        | Action::UpdateCertificateObject
        | Action::DeleteCertificateObject => &[],
    }
}

/// A circumstance that is of its kind.
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(i64),
    Flag(bool),
    /// The word at that index of the list.
    Word(&'static Words, usize),
    Principal(PrincipalName),
}

impl Kind {
    /// The circumstance, if it is of this kind.
    pub(super) fn value(self, given: &ContextValue) -> Option<Value<'_>> {
        let vocabulary = Vocabulary::shared();
        let word = |list: &'static Words, text: &str| Some(Value::Word(list, list.position(text)?));
        match (self, given) {
            (Self::Text | Self::OptionalText, ContextValue::Text(text)) => Some(Value::Text(text)),
            (Self::Number | Self::OptionalNumber, ContextValue::Number(number)) => Some(Value::Number(*number)),
            (Self::Flag | Self::OptionalFlag, ContextValue::Flag(flag)) => Some(Value::Flag(*flag)),
            (Self::Word(list), ContextValue::Text(text)) => word(list(vocabulary), text),
            (Self::Hash, ContextValue::Text(text)) => {
                word(&vocabulary.hashes, if text.is_empty() { "none" } else { text })
            }
            (Self::Mode, ContextValue::Text(text)) => word(&vocabulary.modes, text),
            (Self::Principal { .. }, ContextValue::Text(name)) => name.parse().ok().map(Value::Principal),
            _ => None,
        }
    }

    /// From text, as records have it.
    fn parse(self, text: &str) -> Option<ContextValue> {
        let value = match self {
            Self::Number | Self::OptionalNumber => ContextValue::Number(text.parse().ok()?),
            Self::Flag | Self::OptionalFlag => ContextValue::Flag(text.parse().ok()?),
            Self::Hash if text == "none" => ContextValue::Text(String::new()),
            _ => ContextValue::Text(text.to_owned()),
        };
        self.value(&value).is_some().then_some(value)
    }

    /// What its text looks like.
    fn expected(self) -> String {
        match self {
            Self::Text | Self::OptionalText => "text".to_owned(),
            Self::Number | Self::OptionalNumber => "a number".to_owned(),
            Self::Flag | Self::OptionalFlag => "true or false".to_owned(),
            Self::Word(list) => format!("one of {}", list(Vocabulary::shared()).all().join(", ")),
            Self::Hash => format!("one of {}", Vocabulary::shared().hashes.all().join(", ")),
            Self::Mode => format!("one of {}", Vocabulary::shared().modes.all().join(", ")),
            Self::Principal { .. } => "organizations/ORGANIZATION/principals/NAME".to_owned(),
        }
    }
}

/// Whether `given` is what the schema lists for `action`, no more and no less.
pub(super) fn check(action: Action, given: &Context) -> Result<(), TranslateError> {
    let known = circumstances(action);
    if let Some(name) = given.names().find(|name| known.iter().all(|(known, _)| known != name)) {
        return Err(TranslateError::Unknown(action, name));
    }
    known.iter().try_for_each(|&(name, kind)| match given.value(name) {
        None if kind.may_be_left_out() => Ok(()),
        None => Err(TranslateError::Missing(action, name)),
        Some(value) => kind.value(value).map(drop).ok_or(TranslateError::Kind(name)),
    })
}

/// How circumstances given as text do not describe a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The schema has no such circumstance.
    #[error("{action} has no context.{name}; it has {}", known.join(", "))]
    Unknown {
        /// Of this action.
        action: Action,
        /// What was given.
        name: String,
        /// What could be.
        known: Vec<&'static str>,
    },
    /// The action needs more.
    #[error("{action} needs context.{}", names.join(", context."))]
    Missing {
        /// This action.
        action: Action,
        /// What is missing.
        names: Vec<&'static str>,
    },
    /// A value is none.
    #[error("context.{name} is {expected}")]
    Value {
        /// Of what.
        name: &'static str,
        /// What it is instead.
        expected: String,
    },
}

/// Circumstances from their names and texts, as records and explanations have them. What they say of the session
/// (`session.time`, …) stands in the place of what `session` says.
///
/// # Errors
/// [`ContextError`].
pub fn parse_context<'a>(
    action: Action,
    texts: impl IntoIterator<Item = (&'a str, &'a str)>,
    session: Session,
) -> Result<(Context, Session), ContextError> {
    let known = circumstances(action);
    let (mut context, mut session) = (Context::new(), session);
    for (name, text) in texts {
        if let Some((name, kind)) = known.iter().find(|(known, _)| *known == name) {
            let value = kind.parse(text).ok_or_else(|| ContextError::Value { name, expected: kind.expected() })?;
            context = context.with(name, value);
        } else if let Some(attribute) = Attribute::ALL.into_iter().find(|attribute| attribute.name() == name) {
            let value = session.with(attribute, text);
            session =
                value.ok_or_else(|| ContextError::Value { name: attribute.name(), expected: attribute.expected() })?;
        } else {
            let known = known.iter().map(|(name, _)| *name).chain(Attribute::ALL.map(Attribute::name)).collect();
            return Err(ContextError::Unknown { action, name: name.to_owned(), known });
        }
    }
    let missing = known.iter().filter(|(name, kind)| !kind.may_be_left_out() && context.value(name).is_none());
    let names = missing.map(|(name, _)| *name).collect::<Vec<_>>();
    if names.is_empty() { Ok((context, session)) } else { Err(ContextError::Missing { action, names }) }
}

#[cfg(test)]
mod tests {
    use super::super::tables::ROWS;
    use super::*;

    const SESSION: Session = Session {
        time: 1_800_000_000,
        source_address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        certificate_age: 86_400,
        shim: false,
    };

    #[test]
    fn what_is_recorded_is_read_back() {
        for row in ROWS.iter() {
            let texts = row.request.context.iter().collect::<Vec<_>>();
            let texts = texts.iter().map(|(name, value)| (*name, value.as_str()));
            let read = parse_context(row.request.action, texts, SESSION);
            assert_eq!(read, Ok((row.request.context.clone(), SESSION)), "{}", row.place);
        }
        let named = Attribute::ALL.map(|attribute| (attribute.name(), SESSION.text(attribute)));
        let other = Session { time: 0, source_address: [10, 0, 0, 1].into(), certificate_age: 1, shim: true };
        let texts = named.iter().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(parse_context(Action::GetKey, texts, other), Ok((Context::new(), SESSION)));
    }

    /// As records from before there were modes have it.
    #[test]
    fn a_mode_that_is_not_recorded_is_the_default() {
        let (context, _) = parse_context(Action::Decrypt, [("size", "32")], SESSION).unwrap();
        check(Action::Decrypt, &context).unwrap();
        assert!(context.value("mode").is_none());
        let (context, _) = parse_context(Action::Encrypt, [("size", "32"), ("mode", "cbc-pad")], SESSION).unwrap();
        assert_eq!(context, Context::new().number("size", 32).text("mode", "cbc-pad"));
        assert!(check(Action::GenerateMac, &context).is_err());
    }

    #[test]
    fn what_is_no_description_is_refused_with_what_would_be() {
        for (action, texts, message) in [
            (Action::Sign, vec![("size", "1")], "Sign needs context.input, context.hash"),
            (Action::GetKey, vec![("sise", "1")], "GetKey has no context.sise; it has session.time, "),
            (Action::GenerateRandom, vec![("size", "x")], "context.size is a number"),
            (Action::IssueCertificate, vec![("profile", "pier")], "context.profile is one of root-ca, peer, "),
            (Action::GetKey, vec![("session.shim", "1")], "context.session.shim is true or false"),
            (Action::Encrypt, vec![("mode", "ecb")], "context.mode is one of default, gcm-given-nonce, cbc, cbc-pad, "),
            (Action::CreateKey, vec![("owner", "peer0")], "context.owner is organizations/ORGANIZATION/"),
        ] {
            let error = parse_context(action, texts.clone(), SESSION).unwrap_err().to_string();
            assert!(error.starts_with(message), "{texts:?}: {error}");
        }
    }
}
