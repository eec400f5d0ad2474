//! An [`AccessRequest`] in Cedar's terms: request, and the two entities it is about.
//!
//! **Invariants**
//! * What comes out fits the schema by construction, so that Cedar need not check it again. A request that was put
//!   together wrongly is refused here: to a forbid, a word of the wrong kind would merely look different.
//! * Of another organization's key or settings nothing comes out but the name, so that neither an answer, nor the
//!   policies named in a record, nor the time taken tells a stranger whether they exist.

use super::{
    AccessRequest, Context, KeyFacts, Resource, Session,
    circumstances::{Kind, Value, check, circumstances},
    session::Attribute,
    vocabulary::{ResourceKind, Vocabulary, resource_kind},
};
use cedar_policy::{self as cedar, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use chancery_model::{Action, OrganizationName, Principal, PrincipalName, Role};

/// How the service failed to describe a request in the schema's words.
#[derive(Debug, thiserror::Error)]
pub(super) enum TranslateError {
    #[error("{0} is not asked on this kind of resource")]
    Resource(Action),
    #[error("{0} needs context.{1}")]
    Missing(Action, &'static str),
    #[error("{0} has no context.{1}")]
    Unknown(Action, &'static str),
    #[error("context.{0} is not of the kind that the schema says")]
    Kind(&'static str),
    #[error("{0} is no group of the principal's organization")]
    Group(String),
    #[error(transparent)]
    Attribute(#[from] Box<cedar::EntityAttrEvaluationError>),
    #[error(transparent)]
    Session(#[from] Box<cedar::ExpressionConstructionError>),
    #[error(transparent)]
    Context(#[from] Box<cedar::ContextCreationError>),
    #[error(transparent)]
    Entities(#[from] Box<cedar::entities_errors::EntitiesError>),
    #[error(transparent)]
    Request(#[from] Box<cedar::RequestValidationError>),
}

/// The Cedar request, and its principal and resource.
pub(super) fn translate(request: &AccessRequest) -> Result<(cedar::Request, cedar::Entities), TranslateError> {
    let vocabulary = Vocabulary::shared();
    let AccessRequest { principal, groups, action, resource, context, session } = request;
    check_resource(*action, resource)?;
    let context = vocabulary.context(*action, context, session)?;
    let stranger = principal.name.organization() != resource.organization();
    let principal = vocabulary.principal(principal, groups)?;
    let resource = vocabulary.resource(resource, stranger)?;
    let action = vocabulary.action(*action).clone();
    let request = cedar::Request::new(principal.uid(), action, resource.uid(), context, None).map_err(Box::new)?;
    let entities = cedar::Entities::from_entities([principal, resource], None).map_err(Box::new)?;
    Ok((request, entities))
}

fn check_resource(action: Action, resource: &Resource) -> Result<(), TranslateError> {
    let fits = match resource_kind(action) {
        ResourceKind::Organization => matches!(resource, Resource::Organization { .. }),
        ResourceKind::Key => matches!(resource, Resource::Key { .. }),
        ResourceKind::Log => matches!(resource, Resource::Log { .. }),
        ResourceKind::Deployment => matches!(resource, Resource::Deployment { .. }),
    };
    if fits { Ok(()) } else { Err(TranslateError::Resource(action)) }
}

impl Vocabulary {
    fn principal(&self, principal: &Principal, groups: &[String]) -> Result<Entity, TranslateError> {
        let name = &principal.name;
        let own = format!("{}/groups/", name.organization());
        if let Some(foreign) = groups.iter().find(|group| !group.starts_with(&own)) {
            return Err(TranslateError::Group(foreign.clone()));
        }
        let groups = groups.iter().map(|group| uid(&self.group, group));
        let attributes = [
            ("organization", self.organization_value(name.organization())),
            ("name", text(name.id())),
            ("role", self.role(principal.role)),
        ];
        entity(uid(&self.principal, name.to_string()), attributes, groups, [])
    }

    fn resource(&self, resource: &Resource, stranger: bool) -> Result<Entity, TranslateError> {
        let organization = ("organization", self.organization_value(resource.organization()));
        let name = resource.to_string();
        match resource {
            Resource::Organization { enrolling_roles, .. } => {
                let shown = if stranger { &[] } else { enrolling_roles.as_slice() };
                let roles = shown.iter().map(|role| self.role(*role));
                let roles = ("enrollingRoles", RestrictedExpression::new_set(roles));
                entity(uid(&self.organization, name), [organization, roles], [], [])
            }
            Resource::Log { .. } => entity(uid(&self.log, name), [organization], [], []),
            Resource::Deployment { .. } => entity(uid(&self.deployment, name), [organization], [], []),
            Resource::Key { name: key, facts } => {
                let named = [organization, ("name", text(key.id()))];
                match facts.as_ref().filter(|_| !stranger) {
                    Some(facts) => {
                        let labels = facts.labels.iter().map(|(label, value)| (label.as_str(), text(value)));
                        entity(uid(&self.key, name), named.into_iter().chain(self.facts(facts)), [], labels)
                    }
                    None => entity(uid(&self.key, name), named, [], []),
                }
            }
        }
    }

    fn facts(&self, facts: &KeyFacts) -> [(&'static str, RestrictedExpression); 5] {
        [
            ("owner", self.principal_value(&facts.owner)),
            ("purpose", self.purposes.at(facts.purpose as usize)),
            ("algorithm", self.algorithms.at(facts.algorithm as usize)),
            ("protection", self.protections.at(facts.protection as usize)),
            ("state", self.states.at(facts.state as usize)),
        ]
    }

    fn context(&self, action: Action, given: &Context, session: &Session) -> Result<cedar::Context, TranslateError> {
        check(action, given)?;
        let known = circumstances(action);
        let mut pairs = Vec::with_capacity(known.len() + 2);
        pairs.push(("session".to_owned(), session_value(session).map_err(Box::new)?));
        for &(name, kind) in known {
            let Some(value) = given.value(name).map_or_else(|| kind.unless_given(), |value| kind.value(value)) else {
                continue;
            };
            let value = match (value, kind) {
                (Value::Text(value), _) => text(value),
                (Value::Number(value), _) => RestrictedExpression::new_long(value),
                (Value::Flag(value), _) => RestrictedExpression::new_bool(value),
                (Value::Word(list, index), _) => list.at(index),
                (Value::Principal(name), kind) => {
                    if let Kind::Principal { organization } = kind {
                        pairs.push((organization.to_owned(), self.organization_value(name.organization())));
                    }
                    self.principal_value(&name)
                }
            };
            pairs.push((name.to_owned(), value));
        }
        Ok(cedar::Context::from_pairs(pairs).map_err(Box::new)?)
    }

    fn role(&self, role: Role) -> RestrictedExpression {
        self.roles.at(role as usize)
    }

    fn organization_value(&self, name: &OrganizationName) -> RestrictedExpression {
        RestrictedExpression::new_entity_uid(uid(&self.organization, name.to_string()))
    }

    fn principal_value(&self, name: &PrincipalName) -> RestrictedExpression {
        RestrictedExpression::new_entity_uid(uid(&self.principal, name.to_string()))
    }
}

fn uid(entity_type: &EntityTypeName, id: impl AsRef<str>) -> EntityUid {
    EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn session_value(session: &Session) -> Result<RestrictedExpression, cedar::ExpressionConstructionError> {
    let value = |attribute| match attribute {
        Attribute::Time => RestrictedExpression::new_datetime(session.rfc3339()),
        Attribute::SourceAddress => RestrictedExpression::new_ip(session.source_address.to_canonical().to_string()),
        Attribute::CertificateAge => RestrictedExpression::new_long(session.certificate_age),
        Attribute::Shim => RestrictedExpression::new_bool(session.shim),
    };
    let attributes = Attribute::ALL.map(|attribute| (attribute.as_str().to_owned(), value(attribute)));
    RestrictedExpression::new_record(attributes)
}

fn entity<'a>(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
    groups: impl IntoIterator<Item = EntityUid>,
    tags: impl IntoIterator<Item = (&'a str, RestrictedExpression)>,
) -> Result<Entity, TranslateError> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    let tags = tags.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Entity::new_with_tags(uid, attributes, groups, tags).map_err(Box::new)?)
}
