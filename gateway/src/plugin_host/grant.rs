//! Grants, as manifests ask for them and tenants give them: words, and for some what they are narrowed to.
//!
//! `kv`, `http GET,POST https://api.shop.example/orders/`, `secret shop-token`, `personal-data phone`. A manifest may ask
//! for any host (`http *`) and any secret (`secret *`); what is given names them. Pure: what is given is compared with what
//! is asked for here, and nowhere else.

use std::collections::BTreeSet;

use super::http::HttpRule;
use super::limits::REASON_CHARS;
use super::words::shown;

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// All there is to say is its name.
    Plain(&'static str),
    Http(HttpRule),
    /// A secret of the tenant's by its name; `None`: any.
    Secret(Option<String>),
    Phone,
    Bsuid,
}

/// Grants that have nothing beside their name.
const PLAIN: [&str; 5] = ["kv", "window", "contacts", "conversation", "templates"];

impl Grant {
    /// Reads one. An error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        match (name, rest) {
            ("http", rule) => HttpRule::parse(rule).map(Self::Http),
            ("secret", "*") => Ok(Self::Secret(None)),
            ("secret", name) if is_secret_name(name) => Ok(Self::Secret(Some(name.to_owned()))),
            ("secret", _) => {
                Err("`secret` is followed by a secret's name, or by * in a manifest".to_owned())
            }
            ("personal-data", "phone") => Ok(Self::Phone),
            ("personal-data", "bsuid") => Ok(Self::Bsuid),
            ("personal-data", _) => {
                Err("`personal-data` is followed by `phone` or `bsuid`".to_owned())
            }
            _ => {
                let plain = PLAIN.into_iter().find(|plain| *plain == text);
                let none = || format!("there is no grant `{}`", shown(text, REASON_CHARS));
                plain.map(Self::Plain).ok_or_else(none)
            }
        }
    }

    /// Does it leave open what a tenant has to decide?
    pub fn is_open(&self) -> bool {
        match self {
            Self::Http(rule) => rule.is_of_any_host(),
            Self::Secret(name) => name.is_none(),
            Self::Plain(_) | Self::Phone | Self::Bsuid => false,
        }
    }

    /// Is it for those to give who answer for a tenant's data? It lets a plugin read about people, or ask other servers with
    /// what it knows.
    pub fn is_of_tenant(&self) -> bool {
        !matches!(self, Self::Plain("kv" | "window" | "templates"))
    }

    /// Is `given` within what this asks for?
    pub fn covers(&self, given: &Self) -> bool {
        match (self, given) {
            (Self::Http(asked), Self::Http(given)) => asked.covers(given),
            (Self::Secret(None), Self::Secret(_)) => true,
            (asked, given) => asked == given,
        }
    }
}

/// Names of secrets: letters that need no quoting anywhere.
pub fn is_secret_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

/// Is this grant within what a manifest asks for? What does not read is not.
pub fn asks_for(asked: &BTreeSet<String>, given: &str) -> bool {
    let Ok(given) = Grant::parse(given) else {
        return false;
    };
    let mut asked = asked.iter().filter_map(|asked| Grant::parse(asked).ok());
    asked.any(|asked| asked.covers(&given))
}

/// What is wrong with giving this to a plugin whose manifest asks for that; empty: nothing.
pub fn problems_of_giving(asked: &BTreeSet<String>, given: &BTreeSet<String>) -> Vec<String> {
    let problem = |text: &String| match Grant::parse(text) {
        Err(problem) => Some(problem),
        Ok(grant) if grant.is_open() => Some(format!(
            "`{text}` must say which: only a manifest asks for any"
        )),
        Ok(_) if !asks_for(asked, text) => {
            Some(format!("`{text}` is more than the plugin asks for"))
        }
        Ok(_) => None,
    };
    given.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_given_is_within_what_is_asked_for() {
        let asked = set(&[
            "kv",
            "http GET,POST https://*.shop.example/api",
            "secret *",
            "personal-data phone",
        ]);
        for good in [
            "kv",
            "http GET https://eu.shop.example/api/orders",
            "http GET,POST https://*.shop.example/api",
            "secret shop-token",
            "personal-data phone",
        ] {
            assert_eq!(problems_of_giving(&asked, &set(&[good])), [""; 0], "{good}");
        }
        for bad in [
            "http https://eu.shop.example/api",
            "http GET https://eu.shop.example/",
            "http GET https://shop.example/api",
            "http GET http://eu.shop.example/api",
            "http GET https://eu.shop.example:8443/api",
            "http *",
            "secret *",
            "secret",
            "secret Shop",
            "personal-data bsuid",
            "personal-data",
            "kv more",
            "network",
        ] {
            assert_eq!(problems_of_giving(&asked, &set(&[bad])).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_plugin_of_any_host_is_given_named_ones() {
        let asked = set(&["http *"]);
        assert!(asks_for(&asked, "http GET http://127.0.0.1:8080/"));
        assert!(problems_of_giving(&asked, &set(&["http *"]))[0].contains("must say which"));
    }
}
