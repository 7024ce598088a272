//! What the value of a key may be: one reading for each type, whose complaints never repeat the value.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::Value;
use secrecy::{ExposeSecret, SecretString};

use super::network::Network;

/// A type that a key may have.
pub(super) trait Setting: Sized {
    /// `Err` says what was expected.
    fn from_value(value: &Value) -> Result<Self, String>;
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be text".to_owned())
}

impl Setting for String {
    fn from_value(value: &Value) -> Result<Self, String> {
        text(value).map(str::to_owned)
    }
}

impl Setting for bool {
    fn from_value(value: &Value) -> Result<Self, String> {
        value
            .to_bool()
            .ok_or_else(|| "must be true or false".to_owned())
    }
}

impl Setting for u64 {
    fn from_value(value: &Value) -> Result<Self, String> {
        let number = value.to_u128().or_else(|| value.to_i128()?.try_into().ok());
        number
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| "must be a whole number, 0 or more".to_owned())
    }
}

impl Setting for usize {
    fn from_value(value: &Value) -> Result<Self, String> {
        Self::try_from(u64::from_value(value)?).map_err(|_| "is too large".to_owned())
    }
}

impl Setting for u32 {
    fn from_value(value: &Value) -> Result<Self, String> {
        Self::try_from(u64::from_value(value)?).map_err(|_| "is too large".to_owned())
    }
}

impl Setting for Duration {
    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = || "must be a duration with its unit, like \"10s\"".to_owned();
        text(value)?
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Self::try_from(duration).ok())
            .or_else(|| days(value.as_str()?))
            .ok_or_else(expected)
    }
}

/// Days have no fixed length for a calendar and so none in jiff; here a day is 24 hours.
fn days(text: &str) -> Option<Duration> {
    let days: u64 = text.strip_suffix('d')?.trim().parse().ok()?;
    days.checked_mul(86_400).map(Duration::from_secs)
}

impl Setting for SocketAddr {
    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = "must be an address and a port, like \"127.0.0.1:8080\"";
        text(value)?.parse().map_err(|_| expected.to_owned())
    }
}

impl Setting for Network {
    fn from_value(value: &Value) -> Result<Self, String> {
        Self::parse(text(value)?)
    }
}

impl Setting for PathBuf {
    fn from_value(value: &Value) -> Result<Self, String> {
        match text(value)? {
            "" => Err("must not be empty".to_owned()),
            path => Ok(Self::from(path)),
        }
    }
}

impl<T: Setting> Setting for Option<T> {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some("") => Ok(None),
            _ => T::from_value(value).map(Some),
        }
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn from_value(value: &Value) -> Result<Self, String> {
        let values = value
            .as_array()
            .ok_or_else(|| "must be a list".to_owned())?;
        let entry = |(at, value): (usize, &Value)| {
            let told = |what: String| format!("entry {}: {what}", at + 1);
            T::from_value(value).map_err(told)
        };
        values.iter().enumerate().map(entry).collect()
    }
}

/// Text that is never printed.
#[derive(Clone)]
pub struct Hidden(SecretString);

impl Hidden {
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Setting for Hidden {
    fn from_value(value: &Value) -> Result<Self, String> {
        text(value).map(Self::new)
    }
}

/// Which database. A PostgreSQL URL may carry a password, so it is never printed.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// `None`: `vestibule.db` in the data folder.
    Sqlite(Option<PathBuf>),
    Postgres(Hidden),
}

impl Setting for DatabaseUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        let url = text(value)?;
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            Ok(Self::Sqlite((!path.is_empty()).then(|| path.into())))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Self::Postgres(Hidden::new(url)))
        } else {
            Err("must begin with sqlite: or postgres://".to_owned())
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl Setting for LogFormat {
    fn from_value(value: &Value) -> Result<Self, String> {
        match text(value)? {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be \"text\" or \"json\"".to_owned()),
        }
    }
}
