//! Roles: what kind of work somebody does here.

use serde::{Deserialize, Serialize};

/// A role. None includes another: what each may do is a row of the permission table.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the deployment: every tenant, apps, limits.
    Operator,
    /// Runs one business: its people, keys, numbers and credentials.
    TenantAdmin,
    /// Connects the business's own systems.
    Developer,
    /// Answers customers.
    Agent,
    /// Looks at what happens, changes nothing.
    Analyst,
    /// Looks at who changed what.
    Auditor,
    /// Uploads and runs plugins.
    PluginAuthor,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::Operator,
        Self::TenantAdmin,
        Self::Developer,
        Self::Agent,
        Self::Analyst,
        Self::Auditor,
        Self::PluginAuthor,
    ];

    pub fn text(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::TenantAdmin => "tenant_admin",
            Self::Developer => "developer",
            Self::Agent => "agent",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
            Self::PluginAuthor => "plugin_author",
        }
    }

    /// For whom it is.
    pub fn about(self) -> &'static str {
        match self {
            Self::Operator => "Runs the deployment: every tenant, apps, limits.",
            Self::TenantAdmin => "Runs one business: its people, keys, numbers and credentials.",
            Self::Developer => "Connects the business's own systems.",
            Self::Agent => "Answers customers.",
            Self::Analyst => "Looks at what happens, changes nothing.",
            Self::Auditor => "Looks at who changed what.",
            Self::PluginAuthor => "Uploads and runs plugins.",
        }
    }

    /// The operator's role has no tenant, every other has one.
    pub fn is_of_operator(self) -> bool {
        self == Self::Operator
    }

    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.text() == text)
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::text).join(", ");
        Self::read(text).ok_or_else(|| format!("not a role; roles are: {}", known()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reads_as_it_is_written_everywhere() {
        for role in Role::ALL {
            assert_eq!(Role::read(role.text()), Some(role));
            assert_eq!(serde_json::json!(role), serde_json::json!(role.text()));
        }
        assert_eq!(Role::read("root"), None);
    }
}
