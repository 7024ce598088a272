//! The three layers, merged: each value remembers which one it came from.

use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::{ConfigError, Problem};

const DEFAULTS: &str = include_str!("../../config.default.toml");
const PREFIX: &str = "VESTIBULE__";

/// Values under the name of their source.
struct Layer {
    name: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// A file that cannot be read or parsed ends it here: nothing else can be said about the keys then.
pub(super) fn merged(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Figment, ConfigError> {
    let mut figment = Figment::from(from_toml("the defaults".to_owned(), DEFAULTS)?);
    if let Some(path) = file {
        figment = figment.merge(from_file(path)?);
    }
    let layers = environment
        .into_iter()
        .filter_map(|(name, value)| from_variable(&name, &value));
    Ok(layers.fold(figment, Figment::merge))
}

fn from_file(path: &Path) -> Result<Layer, ConfigError> {
    let name = format!("file {}", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => from_toml(name, &text),
        Err(error) => Err(unreadable(name, format!("cannot be read: {error}"))),
    }
}

fn from_toml(name: String, text: &str) -> Result<Layer, ConfigError> {
    match toml::from_str(text) {
        Ok(values) => Ok(Layer { name, values }),
        // Not the error's own text: it repeats the line, and a secret may stand there.
        Err(error) => {
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = before.matches('\n').count() + 1;
            let what = format!("is not TOML: {} in line {line}", error.message());
            Err(unreadable(name, what))
        }
    }
}

fn unreadable(origin: String, what: String) -> ConfigError {
    let key = String::new();
    ConfigError(vec![Problem { key, origin, what }])
}

/// `VESTIBULE__HTTP__LISTEN=…` is `http.listen`. A layer for each variable, so that a problem can name it.
fn from_variable(name: &str, value: &str) -> Option<Layer> {
    let path = name.strip_prefix(PREFIX)?.to_lowercase();
    let value: Value = value.parse().unwrap_or_else(|_| Value::from(value));
    let nested = path.rsplit("__").fold(value, |inner, key| {
        Value::from(Dict::from([(key.to_owned(), inner)]))
    });
    Some(Layer {
        name: format!("environment variable {name}"),
        values: nested.into_dict()?,
    })
}
