//! The manifest: what a component says of itself, as JSON in its custom section `vestibule:manifest`.
//!
//! It asks; tenant and operator grant.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::abi::Abi;
use super::grant::Grant;
use super::hook::{Hook, HookSet};
use super::limits::{MANIFEST_BYTES, REASON_CHARS};
use super::words::shown;

/// The custom section's name.
pub const SECTION: &str = "vestibule:manifest";

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
    /// What it would like to use: grants ([`Grant`]).
    #[serde(default)]
    pub grants: BTreeSet<String>,
    /// JSON Schema of its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
    /// Versions with the same number share their memory in `kv`.
    #[serde(default)]
    pub state_schema: u32,
    /// Numbers of other schemas whose memory this version understands, and whose versions understand what it writes: to
    /// go back and forth between them is safe.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub state_compatible: BTreeSet<u32>,
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

/// More mistakes than this tell nobody more; nor do more characters of one.
const PROBLEMS: usize = 20;
const PROBLEM_CHARS: usize = 200;

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
    Json(String),
    /// Every field that is wrong, and what is wrong with it.
    #[error("{}", .0.iter().map(|(field, problem)| format!("manifest field `{field}`: {problem}")).collect::<Vec<_>>().join("; "))]
    Fields(Vec<(&'static str, String)>),
}

impl Manifest {
    /// Reads and checks the section's bytes.
    pub fn parse(section: &[u8]) -> Result<Self, ManifestError> {
        if section.len() > MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let manifest: Self = serde_json::from_slice(section)
            .map_err(|error| ManifestError::Json(shown(&error.to_string(), REASON_CHARS)))?;
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

    /// Do two versions understand each other's memory? They do when they keep it alike, or when one of them says so.
    pub fn shares_state_with(&self, other: &Self) -> bool {
        self.state_schema == other.state_schema
            || self.state_compatible.contains(&other.state_schema)
            || other.state_compatible.contains(&self.state_schema)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let mut wrong = Vec::new();
        if !is_name(&self.name) {
            let problem = "1 to 64 lower-case letters, digits and hyphens".to_owned();
            wrong.push(("name", problem));
        }
        if !is_version(&self.version) {
            let problem = format!("`{}` is not a version like 1.2.3", self.version);
            wrong.push(("version", problem));
        }
        let abi = Abi::from_version(&self.abi);
        if abi.is_none() {
            let problem = format!("this host has {}, not `{}`", Abi::versions(), self.abi);
            wrong.push(("abi", problem));
        }
        let abi = abi.unwrap_or(Abi::NEWEST);
        let has =
            |name: &str| Hook::from_name(name).is_some_and(|hook| abi.hooks().contains(&hook));
        let hooks = self.interfaces.iter().filter(|name| !has(name));
        wrong.extend(hooks.map(|hook| ("interfaces", format!("{abi} has no hook `{hook}`"))));
        let grants = self.grants.iter();
        let grants = grants.filter_map(|grant| Grant::parse(grant).err());
        wrong.extend(grants.map(|problem| ("grants", problem)));
        if self.config_schema.as_ref().is_some_and(|s| !s.is_object()) {
            wrong.push(("config_schema", "not a JSON object".to_owned()));
        }
        // Words of the author's: a manifest of nothing else would be told as a page.
        wrong.truncate(PROBLEMS);
        for (_, problem) in &mut wrong {
            *problem = shown(problem, PROBLEM_CHARS);
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(ManifestError::Fields(wrong)),
        }
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
            (
                json!({"abi": "0.4.0"}),
                "this host has 0.1.0, 0.2.0, 0.2.1, 0.2.2, 0.3.0",
            ),
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
    fn memory_is_shared_by_equal_schemas_or_where_one_side_says_so() {
        let schema = |changes| parse(changes).expect("valid");
        let one = schema(json!({"state_schema": 1}));
        let two = schema(json!({"state_schema": 2}));
        let careful = schema(json!({"state_schema": 2, "state_compatible": [1]}));
        assert!(one.shares_state_with(&one));
        assert!(!one.shares_state_with(&two) && !two.shares_state_with(&one));
        assert!(one.shares_state_with(&careful) && careful.shares_state_with(&one));
    }

    #[test]
    fn versions_are_semantic() {
        for version in ["0.0.0", "1.20.3", "1.0.0-beta.1", "1.0.0+5", "1.0.0-a-b+c"] {
            assert!(is_version(version), "{version}");
        }
    }
}
