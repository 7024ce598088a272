//! The manifest: what a component says of itself, as JSON in its custom section `vestibule:manifest`.
//!
//! It asks; tenant and operator grant.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::abi::Abi;
use super::hook::{Hook, HookSet};
use super::limits::MANIFEST_BYTES;

/// The custom section's name.
pub const SECTION: &str = "vestibule:manifest";
/// Grants that exist.
const GRANTS: [&str; 1] = ["kv"];

/// What a component says of itself. Unknown fields are refused: a misspelt grant must not be lost in silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Lower-case letters, digits and hyphens, at most 64.
    pub name: String,
    /// Semantic version, `1.2.3` or `1.2.3-beta.1`.
    pub version: String,
    /// The contract's version that it was built against.
    pub abi: String,
    /// The hooks that it exports, by their WIT names.
    pub interfaces: Vec<String>,
    #[serde(default)]
    pub description: String,
    /// What it would like to use; names of grants.
    #[serde(default)]
    pub grants: BTreeSet<String>,
    /// JSON Schema of its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
    /// Versions with the same number share their memory in `kv`.
    #[serde(default)]
    pub state_schema: u32,
    /// Limits it asks for; what is absent is the default.
    #[serde(default)]
    pub limits: LimitsAsked,
}

/// Limits that a plugin asks for. The operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsAsked {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
}

/// What is wrong with a manifest, for its author.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the component has no custom section `{SECTION}`: build it with the SDK")]
    Missing,
    #[error("the component has more than one custom section `{SECTION}`")]
    Several,
    #[error("the manifest is larger than {MANIFEST_BYTES} bytes")]
    TooLarge,
    #[error("the manifest is not the JSON that is expected: {0}")]
    Json(serde_json::Error),
    #[error("manifest field `{field}`: {problem}")]
    Field {
        field: &'static str,
        problem: String,
    },
}

impl Manifest {
    /// Reads and checks the section's bytes.
    pub fn parse(section: &[u8]) -> Result<Self, ManifestError> {
        if section.len() > MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let manifest: Self = serde_json::from_slice(section).map_err(ManifestError::Json)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The hooks it claims to export.
    pub fn hooks(&self) -> HookSet {
        self.interfaces
            .iter()
            .filter_map(|name| Hook::from_name(name))
            .collect()
    }

    fn check(&self) -> Result<(), ManifestError> {
        let wrong = |field, problem: String| Err(ManifestError::Field { field, problem });
        if !is_name(&self.name) {
            let problem = "1 to 64 lower-case letters, digits and hyphens".to_owned();
            return wrong("name", problem);
        }
        if !is_version(&self.version) {
            let problem = format!("`{}` is not a version like 1.2.3", self.version);
            return wrong("version", problem);
        }
        let Some(abi) = Abi::from_version(&self.abi) else {
            let problem = format!("this host has {}, not `{}`", Abi::versions(), self.abi);
            return wrong("abi", problem);
        };
        let has =
            |name: &str| Hook::from_name(name).is_some_and(|hook| abi.hooks().contains(&hook));
        if let Some(unknown) = self.interfaces.iter().find(|name| !has(name)) {
            return wrong("interfaces", format!("{abi} has no hook `{unknown}`"));
        }
        if let Some(unknown) = self.grants.iter().find(|g| !GRANTS.contains(&&***g)) {
            return wrong("grants", format!("there is no grant `{unknown}`"));
        }
        if self.config_schema.as_ref().is_some_and(|s| !s.is_object()) {
            return wrong("config_schema", "not a JSON object".to_owned());
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

/// Three numbers without leading zeros, then perhaps a pre-release and a build, each of dotted identifiers.
fn is_version(version: &str) -> bool {
    let (rest, build) = split_once(version, '+');
    let (core, pre) = split_once(rest, '-');
    let numbers: Vec<_> = core.split('.').collect();
    version.len() <= 64
        && numbers.len() == 3
        && numbers.into_iter().all(is_number)
        && [pre, build].into_iter().flatten().all(is_dotted)
}

fn split_once(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

fn is_dotted(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(changes: serde_json::Value) -> Result<Manifest, String> {
        let mut manifest = json!({
            "name": "menu", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"],
        });
        let fields = manifest.as_object_mut().expect("an object");
        fields.extend(changes.as_object().expect("an object").clone());
        Manifest::parse(manifest.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_short_manifest_is_enough() {
        let manifest = parse(json!({})).expect("valid");
        assert!(manifest.hooks().contains(Hook::AutoReply));
        assert!(!manifest.hooks().contains(Hook::Routing));
        assert!(manifest.grants.is_empty());
    }

    #[test]
    fn each_mistake_is_named() {
        for (changes, expected) in [
            (json!({"name": "Menu"}), "`name`"),
            (json!({"name": ""}), "`name`"),
            (json!({"version": "1.0"}), "`version`"),
            (json!({"version": "1.0.01"}), "`version`"),
            (json!({"version": "1.0.0-"}), "`version`"),
            (json!({"abi": "0.3.0"}), "this host has 0.1.0, 0.2.0"),
            (json!({"interfaces": ["autoreply"]}), "no hook `autoreply`"),
            (
                json!({"interfaces": ["on-timer"]}),
                "0.1.0 has no hook `on-timer`",
            ),
            (json!({"grants": ["network"]}), "no grant `network`"),
            (json!({"grant": ["kv"]}), "unknown field `grant`"),
            (json!({"config_schema": 3}), "`config_schema`"),
        ] {
            let problem = parse(changes.clone()).expect_err("invalid");
            assert!(problem.contains(expected), "{changes}: {problem}");
        }
    }

    #[test]
    fn versions_are_semantic() {
        for version in ["0.0.0", "1.20.3", "1.0.0-beta.1", "1.0.0+5", "1.0.0-a-b+c"] {
            assert!(is_version(version), "{version}");
        }
    }
}
