//! Who a request comes from, once its key was believed.

use super::{Role, Scope};
use crate::audit::{Actor, OPERATOR};
use crate::domain::{ApiKeyId, TenantId, UserId};

/// What a key gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    Role(Role),
    /// A narrow token.
    Scopes(Vec<Scope>),
}

/// A believed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub key: ApiKeyId,
    /// What people call the key.
    pub name: String,
    /// [`OPERATOR`] for the operator's.
    pub realm: TenantId,
    pub grant: Grant,
    pub user: Option<UserId>,
}

impl Principal {
    pub fn is_operator(&self) -> bool {
        self.realm == OPERATOR && self.grant == Grant::Role(Role::Operator)
    }

    pub fn role(&self) -> Option<Role> {
        match &self.grant {
            Grant::Role(role) => Some(*role),
            Grant::Scopes(_) => None,
        }
    }

    /// Scopes of a narrow token; none for a key with a role.
    pub fn scopes(&self) -> &[Scope] {
        match &self.grant {
            Grant::Role(_) => &[],
            Grant::Scopes(scopes) => scopes,
        }
    }

    /// As the audit log names it.
    pub fn actor(&self, address: String, agent: &str) -> Actor {
        Actor::key(self.key.to_string(), self.name.clone(), address, agent)
    }
}
