//! `plugin.toml`: what a plugin says of itself. Read and checked here, embedded as JSON, checked again by every host.
//!
//! The format is documented in `plugin-sdk/README.md`. The host has its own reader of the JSON on purpose: an upload may
//! come from any tool.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

const HOOKS: [&str; 6] = [
    "enrichment",
    "routing",
    "auto-reply",
    "on-event",
    "on-timer",
    "on-receipt",
];
/// First words of grants; what follows is for the host to read.
const GRANTS: [&str; 8] = [
    "kv",
    "window",
    "contacts",
    "conversation",
    "templates",
    "http",
    "secret",
    "personal-data",
];

/// The manifest as it stands in the component.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub abi: String,
    pub interfaces: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub grants: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
    pub state_schema: u32,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub state_compatible: BTreeSet<u32>,
    pub limits: Limits,
}

/// Limits that the plugin asks for; the operator decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// The manifest as its author writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    version: String,
    abi: String,
    interfaces: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    grants: BTreeSet<String>,
    #[serde(default)]
    state_schema: u32,
    #[serde(default)]
    state_compatible: BTreeSet<u32>,
    #[serde(default)]
    limits: Limits,
    config: Option<Config>,
}

/// The settings' JSON Schema: written out as a table, or the name of a JSON file beside the manifest.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Config {
    File(PathBuf),
    Schema(serde_json::Value),
}

impl Manifest {
    /// Reads and checks a `plugin.toml`; also says which files it consists of.
    pub fn read(path: &Path) -> Result<(Self, Vec<PathBuf>)> {
        let mut sources = vec![path.to_owned()];
        let written: Written = toml::from_str(&fs::read_to_string(path)?)?;
        let config_schema = match written.config.clone() {
            None => None,
            Some(Config::Schema(schema)) => Some(schema),
            Some(Config::File(name)) => {
                let file = path.with_file_name(name);
                let json = fs::read(&file).with_context(|| file.display().to_string())?;
                sources.push(file);
                Some(serde_json::from_slice(&json).context("the schema of `config`")?)
            }
        };
        let manifest = Self::from_written(written, config_schema);
        manifest.check()?;
        Ok((manifest, sources))
    }

    fn from_written(written: Written, config_schema: Option<serde_json::Value>) -> Self {
        Self {
            name: written.name,
            version: written.version,
            abi: written.abi,
            interfaces: written.interfaces,
            description: written.description,
            grants: written.grants,
            config_schema,
            state_schema: written.state_schema,
            state_compatible: written.state_compatible,
            limits: written.limits,
        }
    }

    /// Everything that is wrong is told at once.
    fn check(&self) -> Result<()> {
        let problems = self.problems();
        ensure!(problems.is_empty(), "{}", problems.join("; "));
        Ok(())
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_name(&self.name) {
            problems.push("name: 1 to 64 lower-case letters, digits and hyphens".to_owned());
        }
        if !is_version(&self.version) {
            problems.push("version: like 1.2.3".to_owned());
        }
        if self.interfaces.is_empty() {
            problems.push("interfaces: name at least one".to_owned());
        }
        let hooks = self.interfaces.iter();
        let unknown = hooks.filter(|name| !HOOKS.contains(&name.as_str()));
        problems.extend(unknown.map(|name| format!("interfaces: there is no `{name}`")));
        let is_grant =
            |name: &&String| GRANTS.contains(&name.split(' ').next().unwrap_or_default());
        let unknown = self.grants.iter().filter(|name| !is_grant(name));
        problems.extend(unknown.map(|name| format!("grants: there is no `{name}`")));
        if self
            .config_schema
            .as_ref()
            .is_some_and(|schema| !schema.is_object())
        {
            problems.push("config: a JSON Schema is an object".to_owned());
        }
        problems
    }
}

/// Where a manifest says that the schema of its settings is, whatever else is wrong with it. None: nowhere, or in itself.
pub(crate) fn schema_of(path: &Path) -> Option<PathBuf> {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(path).ok()?).ok()?;
    Some(path.with_file_name(manifest.get("config")?.as_str()?))
}

/// May a plugin be called so?
pub fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(letter)
}

/// Three numbers, then perhaps a pre-release or a build. Leading zeros and the like are the host's to refuse.
fn is_version(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<_> = core.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|n| n.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: &str = r#"
        name = "echo"
        version = "1.2.3-beta.1"
        abi = "0.3.0"
        interfaces = ["auto-reply"]
    "#;

    fn read(text: &str) -> Result<Manifest, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        let manifest = Manifest::from_written(written, None);
        manifest.check().map_err(|error| error.to_string())?;
        Ok(manifest)
    }

    #[test]
    fn a_short_manifest_is_enough() {
        let manifest = read(ECHO).expect("valid");
        let json = serde_json::to_value(&manifest).expect("JSON");
        let expected = serde_json::json!({
            "name": "echo", "version": "1.2.3-beta.1", "abi": "0.3.0", "interfaces": ["auto-reply"],
            "grants": [], "state_schema": 0, "limits": {},
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn each_mistake_is_named() {
        for (from, to, expected) in [
            ("echo", "Echo", "name:"),
            ("1.2.3-beta.1", "1.2", "version:"),
            ("auto-reply", "autoreply", "no `autoreply`"),
            ("abi", "api", "unknown field `api`"),
        ] {
            let problem = read(&ECHO.replace(from, to)).expect_err("invalid");
            assert!(problem.contains(expected), "{to}: {problem}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let wrong = ECHO.replace("echo", "Echo").replace("auto-reply", "reply");
        let problems = read(&format!("{wrong}grants = [\"kv\", \"disk\"]")).expect_err("invalid");
        let expected = "name: 1 to 64 lower-case letters, digits and hyphens; interfaces: there is no `reply`; \
            grants: there is no `disk`";
        assert_eq!(problems, expected);
    }
}
