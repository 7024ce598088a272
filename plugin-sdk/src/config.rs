//! The tenant's settings of this installation. When they were installed the host checked them against the manifest's JSON
//! Schema and filled its defaults in (`README.md`, "Settings"); without a schema they are whatever object the tenant wrote.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::{Failure, host};

/// All settings as one type. Give fields a `#[serde(default)]`: a tenant may have set nothing.
///
/// ```
/// # use vestibule_plugin::{config, Outcome, Turn};
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     #[serde(default)]
///     greeting: String,
/// }
///
/// # fn reply(turn: &mut Turn) -> Outcome {
/// let settings: Settings = config::read()?;
/// turn.reply_text(&settings.greeting)?;
/// # Ok(())
/// # }
/// ```
pub fn read<T: DeserializeOwned>() -> Result<T, ConfigError> {
    parse(&host::config_all())
}

/// One setting by its top-level key; `None` when the tenant has not set it and the schema has no default.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, ConfigError> {
    host::config_get(key).map(|json| parse(&json)).transpose()
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, ConfigError> {
    serde_json::from_str(json).map_err(|error| ConfigError(error.to_string()))
}

/// The settings do not fit the type: the manifest's schema allows more than the code reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings do not fit: {}", self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Trying again cannot help: the turn falls back and the tenant reads why.
impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::Reject(error.to_string())
    }
}
