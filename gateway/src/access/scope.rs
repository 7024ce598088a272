//! Narrow tokens: keys that may do one thing only, for systems that should not hold more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::NumberId;

/// One thing that a narrow token may do. Written `send`, `send:num_…`, `event:payment.succeeded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Send messages, from any number of the tenant or from one.
    Send(Option<NumberId>),
    /// Tell of business events of one type.
    Event(String),
}

/// What a scope is for, whatever it is narrowed to: the permission table speaks of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    Send,
    Event,
}

impl Scope {
    pub fn kind(&self) -> ScopeKind {
        match self {
            Self::Send(_) => ScopeKind::Send,
            Self::Event(_) => ScopeKind::Event,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(None) => f.write_str("send"),
            Self::Send(Some(number)) => write!(f, "send:{number}"),
            Self::Event(name) => write!(f, "event:{name}"),
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be send, send:num_… or event:TYPE".to_owned();
        match text.split_once(':') {
            None if text == "send" => Ok(Self::Send(None)),
            Some(("send", number)) => Ok(Self::Send(Some(number.parse().map_err(|_| wrong())?))),
            Some(("event", name)) if is_event_type(name) => Ok(Self::Event(name.to_owned())),
            _ => Err(wrong()),
        }
    }
}

/// `payment.succeeded`: letters, digits, dots, dashes and underscores, at most 64.
fn is_event_type(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(fine)
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl utoipa::PartialSchema for Scope {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::Custom(
                "scope".to_owned(),
            )))
            .description(Some(
                "One thing that a narrow token may do: `send`, `send:num_…` (from one number only) or `event:TYPE`.",
            ))
            .into()
    }
}

impl utoipa::ToSchema for Scope {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_as_they_are_written() {
        for text in ["send", "send:num_0000000000001", "event:payment.succeeded"] {
            let scope: Scope = text.parse().expect("a scope");
            assert_eq!(scope.to_string(), text);
        }
        for wrong in [
            "",
            "send:",
            "send:ten_0000000000001",
            "event:",
            "event:a b",
            "all",
        ] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }
}
