//! May this principal do this to that: decided by a policy in Cedar.

use crate::{Action, Principal, Resource, Role};
use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// The policy of a node that has none of its own.
pub const DEFAULT: &str = include_str!("default.cedar");
/// What a policy can speak of.
pub const SCHEMA: &str = include_str!("schema.cedarschema");
/// Largest policy, in bytes.
const MOST: usize = 256 << 10;

/// Why a policy is refused: a node with a policy it cannot read does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct PolicyError {
    /// Where it was read from.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// What a policy says to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No: nothing permits it, something forbids it, or the policy cannot be worked out.
    Denied,
}

/// A policy that was read and fits its schema.
pub struct Policy {
    rules: PolicySet,
    schema: Schema,
    is_own: bool,
}

// === impl Policy ===

impl Policy {
    /// The policy of a node that has none of its own.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn standard() -> Self {
        let policy =
            Self::read(DEFAULT, "default.cedar").expect("invariant: the default policy fits its schema");
        Self { is_own: false, ..policy }
    }

    /// Reads a policy; `file` is what errors call it.
    ///
    /// # Errors
    /// The first mistake: text that is no policy, or names of actions, roles or attributes that do not exist.
    pub fn read(text: &str, file: &str) -> Result<Self, PolicyError> {
        let wrong = |line: usize, message: String| PolicyError { file: file.to_owned(), line, message };
        if text.len() > MOST {
            return Err(wrong(1, format!("the policy is larger than {MOST} bytes")));
        }
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|e| wrong(1, format!("the schema is wrong: {e}")))?;
        let rules: PolicySet =
            text.parse().map_err(|e: cedar_policy::ParseErrors| wrong(line(text, &e), e.to_string()))?;
        if rules.is_empty() {
            return Err(wrong(1, "the policy says nothing, so that nobody could do anything".to_owned()));
        }
        let checked = Validator::new(schema.clone()).validate(&rules, ValidationMode::Strict);
        match checked.validation_errors().next() {
            Some(error) => Err(wrong(line(text, error), error.to_string())),
            None => Ok(Self { rules, schema, is_own: true }),
        }
    }

    /// Whether it is not the standard one, so that it may tell tasks apart.
    pub const fn is_own(&self) -> bool {
        self.is_own
    }

    /// Whether `principal` may do `action` to `resource`.
    pub fn decide(&self, principal: &Principal, action: Action, resource: &Resource) -> Decision {
        self.ask(principal, action, resource).unwrap_or(Decision::Denied)
    }

    /// The roles that may do `action` to `resource`, for advice.
    pub fn roles(&self, principal: &Principal, action: Action, resource: &Resource) -> Vec<Role> {
        let Principal::User { name, via, .. } = principal else { return Vec::new() };
        let with = |role| Principal::User { name: name.clone(), role, via: via.clone() };
        let may = |role: &Role| self.decide(&with(*role), action, resource) == Decision::Allowed;
        Role::ALL.into_iter().filter(may).collect()
    }

    /// `None` when the question cannot be asked at all, which is as good as a no.
    fn ask(&self, principal: &Principal, action: Action, resource: &Resource) -> Option<Decision> {
        let who = entity(principal)?;
        let what = match resource {
            Resource::Node => uid("Node", "this")?,
            Resource::Task(id) => uid("Task", id)?,
        };
        let request = Request::new(
            who.uid(),
            uid("Action", action.name())?,
            what,
            Context::empty(),
            Some(&self.schema),
        );
        let entities = Entities::from_entities([who], Some(&self.schema)).ok()?;
        let answer = Authorizer::new().is_authorized(&request.ok()?, &self.rules, &entities);
        // A rule that cannot be worked out is skipped by Cedar; if it was a `forbid`, that would open a door.
        let sound = answer.diagnostics().errors().next().is_none();
        let allowed = sound && answer.decision() == cedar_policy::Decision::Allow;
        Some(if allowed { Decision::Allowed } else { Decision::Denied })
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("rules", &self.rules.num_of_policies()).finish_non_exhaustive()
    }
}

fn entity(principal: &Principal) -> Option<Entity> {
    let text = |s: &str| RestrictedExpression::new_string(s.to_owned());
    match principal {
        Principal::Nobody => Some(Entity::new_no_attrs(uid("Nobody", "nobody")?, HashSet::new())),
        Principal::User { name, role, via } => {
            let attributes =
                HashMap::from([("name".to_owned(), text(name)), ("via".to_owned(), text(via.name()))]);
            let roles: Option<HashSet<_>> = role.held().iter().map(|r| uid("Role", r.name())).collect();
            Entity::new(uid("User", name)?, attributes, roles?).ok()
        }
        Principal::Share { id, task } => {
            let task = RestrictedExpression::new_entity_uid(uid("Task", task)?);
            let attributes = HashMap::from([("task".to_owned(), task)]);
            Entity::new(uid("Share", id)?, attributes, HashSet::new()).ok()
        }
    }
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind: EntityTypeName = kind.parse().ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

/// The line of `text` that an error points at.
fn line(text: &str, error: &dyn Diagnostic) -> usize {
    let offset = error.labels().and_then(|mut l| l.next()).map_or(0, |label| label.offset());
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

#[cfg(test)]
mod tests;
