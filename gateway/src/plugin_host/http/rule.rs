//! Which requests a tenant allows: hosts, methods, the beginning of the path. Pure.

use std::collections::BTreeSet;
use std::fmt;

use url::{Host, Url};

use super::Method;
use crate::plugin_host::words::shown;

/// One allowance: `GET,POST https://api.shop.example/orders/`, `https://*.shop.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    /// Empty: all.
    methods: BTreeSet<Method>,
    to: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// Every host, port and scheme: a manifest may ask for it.
    Any,
    Of {
        /// `http` instead of `https`.
        plain: bool,
        host: HostPattern,
        port: u16,
        path: String,
    },
}

/// Hosts: one, or all under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// As a URL has it: lower case, punycode, an address in its normal form.
    name: String,
    /// Whatever ends in a dot and the name.
    under: bool,
}

const FORM: &str = "`http` is followed by methods (GET,POST; none: all) and an address like https://api.example/orders/, \
                    https://*.example.com or, in a manifest, *";

impl HttpRule {
    /// Reads what comes after `http` in a grant.
    pub(in crate::plugin_host) fn parse(text: &str) -> Result<Self, String> {
        let form = || FORM.to_owned();
        let words: Vec<&str> = text.split(' ').collect();
        let (methods, address) = match words[..] {
            [address] => (BTreeSet::new(), address),
            [methods, address] => (read_methods(methods).ok_or_else(form)?, address),
            _ => return Err(form()),
        };
        let to = match address {
            "*" => Target::Any,
            address => Target::parse(address)?,
        };
        Ok(Self { methods, to })
    }

    pub(in crate::plugin_host) fn is_of_any_host(&self) -> bool {
        self.to == Target::Any
    }

    /// Is everything that `given` allows allowed by this?
    pub(in crate::plugin_host) fn covers(&self, given: &Self) -> bool {
        let methods = self.methods.is_empty()
            || (!given.methods.is_empty() && given.methods.is_subset(&self.methods));
        methods && self.to.covers(&given.to)
    }

    /// May this be asked?
    pub(super) fn allows(&self, method: Method, url: &Url) -> bool {
        let method = self.methods.is_empty() || self.methods.contains(&method);
        method && self.to.allows(url)
    }
}

fn read_methods(text: &str) -> Option<BTreeSet<Method>> {
    text.split(',').map(Method::from_name).collect()
}

impl Target {
    fn parse(address: &str) -> Result<Self, String> {
        let form = || FORM.to_owned();
        let (plain, rest) = match address.split_once("://") {
            Some(("https", rest)) => (false, rest),
            Some(("http", rest)) => (true, rest),
            _ => return Err(form()),
        };
        let (under, rest) = without_star(rest);
        let scheme = if plain { "http" } else { "https" };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| form())?;
        let extra = url.query().is_some() || url.fragment().is_some();
        let user = !url.username().is_empty() || url.password().is_some();
        if extra || user || !is_plain_path(url.path()) {
            return Err(format!(
                "`{address}`: without user, query, fragment and encoded separators"
            ));
        }
        Ok(Self::Of {
            plain,
            host: HostPattern::of(under, &url).ok_or_else(form)?,
            port: url.port_or_known_default().ok_or_else(form)?,
            path: url.path().to_owned(),
        })
    }

    fn covers(&self, given: &Self) -> bool {
        match (self, given) {
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (
                Self::Of {
                    plain,
                    host,
                    port,
                    path,
                },
                Self::Of {
                    plain: given_plain,
                    host: given_host,
                    port: given_port,
                    path: given_path,
                },
            ) => {
                let same = plain == given_plain && port == given_port;
                same && host.covers(given_host) && begins_with(given_path, path)
            }
        }
    }

    fn allows(&self, url: &Url) -> bool {
        let Self::Of {
            plain,
            host,
            port,
            path,
        } = self
        else {
            return false;
        };
        let scheme = url.scheme() == if *plain { "http" } else { "https" };
        let here = scheme && url.port_or_known_default() == Some(*port);
        let named = url.host_str().is_some_and(|name| host.is(name));
        // A server may read `%2f` as a separator and `%2e%2e` as the way up: under a path only what cannot be misread.
        let within = path == "/" || (is_plain_path(url.path()) && begins_with(url.path(), path));
        here && named && within
    }
}

impl HostPattern {
    /// Reads `shop.example` or `*.shop.example`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem = || {
            let text = shown(text, 100);
            format!("`{text}` is neither a host nor `*.` and a name of two parts or more")
        };
        let (under, name) = without_star(text);
        let strange = |c: char| "/?#@:\\".contains(c) || c.is_whitespace() || c.is_control();
        if name.contains(strange) {
            return Err(problem());
        }
        let url = Url::parse(&format!("https://{name}/")).map_err(|_| problem())?;
        Self::of(under, &url).ok_or_else(problem)
    }

    fn of(under: bool, url: &Url) -> Option<Self> {
        let host = url.host()?;
        let name = host.to_string();
        let several = matches!(host, Host::Domain(_)) && name.contains('.');
        let fits = !name.ends_with('.') && !name.contains('*') && (several || !under);
        fits.then_some(Self { name, under })
    }

    /// Is it one of them?
    pub fn is(&self, name: &str) -> bool {
        match self.under {
            false => self.name == name,
            true => is_under(name, &self.name),
        }
    }

    fn covers(&self, given: &Self) -> bool {
        match given.under {
            false => self.is(&given.name),
            true => self.under && (self.name == given.name || is_under(&given.name, &self.name)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.under { "*." } else { "" };
        write!(f, "{star}{}", self.name)
    }
}

fn without_star(text: &str) -> (bool, &str) {
    match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

fn is_under(name: &str, suffix: &str) -> bool {
    let head = name.strip_suffix(suffix);
    head.is_some_and(|head| head.len() > 1 && head.ends_with('.'))
}

/// `/api` is the beginning of `/api` and `/api/x`, not of `/apis`.
fn begins_with(path: &str, beginning: &str) -> bool {
    match path.strip_prefix(beginning) {
        Some(rest) => rest.is_empty() || beginning.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

fn is_plain_path(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let misread = ["%2f", "%5c", "%2e", "%00", "\\", "//", ";", "%3b"];
    !misread.iter().any(|bad| lower.contains(bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, method: Method, url: &str) -> bool {
        let rule = HttpRule::parse(rule).expect("a rule");
        rule.allows(method, &Url::parse(url).expect("a URL"))
    }

    #[test]
    fn a_rule_is_for_its_hosts_methods_and_paths() {
        let get = |rule, url| allows(rule, Method::Get, url);
        let one = "GET https://api.shop.example/orders";
        assert!(get(one, "https://api.shop.example/orders"));
        assert!(get(one, "https://API.shop.example:443/orders/7?full=1"));
        assert!(!allows(
            one,
            Method::Post,
            "https://api.shop.example/orders"
        ));
        for url in [
            "http://api.shop.example/orders",
            "https://api.shop.example:8443/orders",
            "https://api.shop.example/ordersx",
            "https://api.shop.example/",
            "https://api.shop.example/orders/../admin",
            "https://api.shop.example/orders/%2e%2e/admin",
            "https://api.shop.example/orders/..%2fadmin",
            "https://api.shop.example/orders/%2fadmin",
            "https://api.shop.example/orders//admin",
            "https://api.shop.example/orders/..;/admin",
            "https://api.shop.example./orders",
            "https://api.shop.example.evil.example/orders",
            "https://api.shop.example@evil.example/orders",
            "https://evil.example\\@api.shop.example/orders",
            "https://evil.example#https://api.shop.example/orders",
            "https://evil.example/https://api.shop.example/orders",
        ] {
            assert!(!get(one, url), "{url}");
        }
    }

    #[test]
    fn a_suffix_is_for_whole_labels() {
        let get = |url| allows("https://*.shop.example/", Method::Get, url);
        assert!(get("https://eu.shop.example/x"));
        assert!(get("https://a.b.shop.example/"));
        assert!(!get("https://shop.example/"));
        assert!(!get("https://.shop.example/"));
        assert!(!get("https://myshop.example/"));
    }

    #[test]
    fn names_and_addresses_are_compared_in_their_normal_form() {
        let rule = "https://bücher.example/";
        assert!(allows(rule, Method::Get, "https://XN--BCHER-KVA.example/"));
        let rule = "http://127.0.0.1:8080/";
        assert!(allows(rule, Method::Get, "http://0x7f.1:8080/"));
        assert!(allows(rule, Method::Get, "http://2130706433:8080/"));
        assert!(!allows(
            rule,
            Method::Get,
            "http://[::ffff:127.0.0.1]:8080/"
        ));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "https://",
            "ftp://shop.example/",
            "shop.example",
            "get https://shop.example/",
            "GET  https://shop.example/",
            "TRACE https://shop.example/",
            "CONNECT https://shop.example/",
            "https://user@shop.example/",
            "https://shop.example/?q=1",
            "https://shop.example/a%2f",
            "https://*.com/",
            "https://*/",
            "https://*.127.0.0.1/",
            "https://a.*.example/",
            "https://shop.example./",
            "https://*.shop.example./",
        ] {
            assert!(HttpRule::parse(text).is_err(), "{text}");
        }
    }
}
