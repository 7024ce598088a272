//! Which grants plugins of a tenant may have at all: the operator's bound to what the tenant gives them.
//!
//! What was given and is above the ceiling stays given and is not used: when the ceiling is raised again, it counts again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Result, SetupContext, TenantSettings};
use crate::domain::TenantId;
use crate::plugin_host::{Grant, asks_for};
use crate::storage::{Tx, tenants};

/// `"all"`, or a list of grants as a manifest asks for them: `kv`, `http *`, `http GET https://*.shop.example/`, `secret *`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum GrantCeiling {
    #[default]
    All,
    Only(BTreeSet<String>),
}

/// More than anybody reads. A guess.
const MOST: usize = 100;
/// Its key among a tenant's settings.
pub(super) const KEY: &str = "grant_ceiling";

impl GrantCeiling {
    /// What a tenant's settings say, without reading all of them where they say nothing: every tenant's are asked at each change
    /// of setup.
    pub fn of(settings: &str) -> Self {
        match settings.contains(KEY) {
            true => TenantSettings::read(settings).0.grant_ceiling,
            false => Self::All,
        }
    }

    pub fn allows(&self, grant: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(grants) => asks_for(grants, grant),
        }
    }

    /// Those of a column's grants that are used, as a column has them.
    pub fn within(&self, grants: &str) -> String {
        let above = self.above(grants);
        if above.is_empty() {
            return grants.to_owned();
        }
        let mut used = names(grants);
        used.retain(|grant| !above.contains(grant));
        json!(used).to_string()
    }

    /// Those of a column's grants that are not.
    pub fn above(&self, grants: &str) -> Vec<String> {
        match self {
            Self::All => Vec::new(),
            Self::Only(_) => {
                let given = names(grants).into_iter();
                given.filter(|grant| !self.allows(grant)).collect()
            }
        }
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        let Self::Only(grants) = self else {
            return Vec::new();
        };
        let unknown = grants.iter().filter_map(|grant| Grant::parse(grant).err());
        let mut complaints: Vec<String> =
            unknown.map(|problem| format!("{KEY}: {problem}")).collect();
        if grants.len() > MOST {
            complaints.push(format!("{KEY}: must have at most {MOST} grants"));
        }
        complaints
    }
}

/// Names as a column holds them.
fn names(text: &str) -> BTreeSet<String> {
    serde_json::from_str(text).unwrap_or_default()
}

impl TryFrom<Value> for GrantCeiling {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        const WRONG: &str = "must be \"all\" or a list of grants";
        match value {
            Value::String(word) if word == "all" => Ok(Self::All),
            list @ Value::Array(_) => serde_json::from_value(list)
                .map(Self::Only)
                .map_err(|_| WRONG.to_owned()),
            _ => Err(WRONG.to_owned()),
        }
    }
}

impl From<GrantCeiling> for Value {
    fn from(ceiling: GrantCeiling) -> Self {
        match ceiling {
            GrantCeiling::All => json!("all"),
            GrantCeiling::Only(grants) => json!(grants),
        }
    }
}

/// A tenant's. Of a tenant that is gone nothing runs.
pub(super) async fn ceiling(tx: &mut Tx, tenant: TenantId) -> Result<GrantCeiling> {
    let found = tenants::tenant(tx, tenant).await?;
    Ok(found.map_or(GrantCeiling::All, |found| GrantCeiling::of(&found.settings)))
}

/// The same, read by itself.
pub(super) async fn ceiling_of(setup: &SetupContext, tenant: TenantId) -> Result<GrantCeiling> {
    let mut tx = setup.db.read().await?;
    ceiling(&mut tx, tenant).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_used_as_far_as_the_ceiling_allows_it() {
        let ceiling =
            r#"{"grant_ceiling": ["kv", "http GET https://*.shop.example/", "secret shop-token"]}"#;
        let ceiling = GrantCeiling::of(ceiling);
        let given = json!([
            "http GET https://eu.shop.example/orders",
            "http https://eu.shop.example/",
            "kv",
            "personal-data phone",
            "secret bank-token",
            "secret shop-token",
        ]);
        assert_eq!(
            ceiling.within(&given.to_string()),
            r#"["http GET https://eu.shop.example/orders","kv","secret shop-token"]"#
        );
        assert_eq!(ceiling.above(&given.to_string()).len(), 3);
        assert_eq!(GrantCeiling::of("{}").within("[ \"kv\" ]"), "[ \"kv\" ]");
    }

    #[test]
    fn a_ceiling_that_does_not_read_lets_nothing_through() {
        for stored in [
            r#"{"grant_ceiling": "most"}"#,
            r#"{"grant_ceiling": {"kv": true}}"#,
            r#"{"grant_ceiling": [7]}"#,
        ] {
            let (settings, problems) = TenantSettings::read(stored);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(
                problems[0].starts_with("grant_ceiling: must be"),
                "{problems:?}"
            );
            assert!(!settings.grant_ceiling.allows("kv"), "{stored}");
        }
        assert!(
            !GrantCeiling::of(r#"{"grant_ceiling": ["kv"]"#).allows("kv"),
            "cut"
        );
        let newer = r#"{"grant_ceiling": ["kv", "moon"]}"#;
        let (settings, problems) = TenantSettings::read(newer);
        assert_eq!(problems, ["grant_ceiling: there is no grant `moon`"]);
        assert!(settings.grant_ceiling.allows("kv"));
    }
}
