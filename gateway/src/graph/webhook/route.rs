//! The look before the 200: which numbers and accounts a body concerns, and nothing else of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::NotJson;
use super::read::HANDOVERS;
use crate::graph::json::{self, Object};

/// Where a change belongs: to a number, or to an account when it names no number (facts §0.3 rule 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Route<'a> {
    /// `metadata.phone_number_id`; a handover's recipient.
    Number(Cow<'a, str>),
    /// `entry[].id`: a WABA, for some account events a business portfolio (facts §1.3).
    Account(Cow<'a, str>),
}

/// The distinct routes of a body, in the order of their first appearance; empty for JSON that names none.
///
/// Runs for every webhook before its 200: one pass, nothing copied. Bodies of odd shape take a slower way.
pub fn route(body: &[u8]) -> Result<Vec<Route<'_>>, NotJson> {
    match serde_json::from_slice::<Body<'_>>(body) {
        Ok(body) => Ok(routes_of(body)),
        Err(_) => route_leniently(body),
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Id<'a>,
    #[serde(borrow)]
    changes: Vec<Change<'a>>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, default)]
    field: Option<Id<'a>>,
    #[serde(borrow)]
    value: Value<'a>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow, default)]
    recipient: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    phone_number_id: Id<'a>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Id<'a>(#[serde(borrow)] Cow<'a, str>);

fn routes_of(body: Body<'_>) -> Vec<Route<'_>> {
    let mut routes = Vec::with_capacity(1);
    for Entry {
        id: Id(id),
        changes,
    } in body.entry
    {
        for change in changes {
            let Value {
                metadata,
                recipient,
            } = change.value;
            let is_handover = || change.field.is_some_and(|Id(field)| field == HANDOVERS);
            let number = metadata.or_else(|| recipient.filter(|_| is_handover()));
            let route = match number {
                Some(number) => Route::Number(number.phone_number_id.0),
                None => Route::Account(id.clone()),
            };
            add(&mut routes, route);
        }
    }
    routes
}

fn route_leniently(body: &[u8]) -> Result<Vec<Route<'_>>, NotJson> {
    serde_json::from_slice::<IgnoredAny>(body).map_err(|_| NotJson)?;
    let mut routes = Vec::new();
    let Some(body) = str::from_utf8(body).ok().and_then(Object::parse) else {
        return Ok(routes);
    };
    for entry in body
        .array("entry")
        .iter()
        .filter_map(|raw| Object::parse(raw.get()))
    {
        for change in entry.array("changes") {
            if let Some(route) = route_of_change(&entry, change.get()) {
                add(&mut routes, route);
            }
        }
    }
    Ok(routes)
}

fn route_of_change<'a>(entry: &Object<'a>, change: &'a str) -> Option<Route<'a>> {
    let change = Object::parse(change);
    let value = || change.as_ref()?.object("value");
    let number = |key: &str| {
        let named = value()?.object(key)?;
        named.get("phone_number_id").and_then(json::text)
    };
    let is_handover = || {
        let field = change.as_ref().and_then(|change| change.text("field"));
        field.is_some_and(|field| field == HANDOVERS)
    };
    number("metadata")
        .or_else(|| is_handover().then(|| number("recipient")).flatten())
        .map(Route::Number)
        .or_else(|| entry.text("id").map(Route::Account))
}

fn add<'a>(routes: &mut Vec<Route<'a>>, route: Route<'a>) {
    // A body names few numbers, mostly the same one again: a list is quicker than a set.
    if !routes.contains(&route) {
        routes.push(route);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(id: &str) -> Route<'_> {
        Route::Number(id.into())
    }

    fn account(id: &str) -> Route<'_> {
        Route::Account(id.into())
    }

    #[test]
    fn each_number_and_account_is_named_once() {
        let body = br#"{"entry":[
            {"id":"w1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"p1"}}},
                                  {"field":"messages","value":{"metadata":{"phone_number_id":"p2"}}},
                                  {"field":"messages","value":{"metadata":{"phone_number_id":"p1"}}}]},
            {"id":"w2","changes":[{"field":"account_update","value":{"event":"ACCOUNT_DELETED"}}]}]}"#;
        assert_eq!(
            route(body),
            Ok(vec![number("p1"), number("p2"), account("w2")])
        );
    }

    #[test]
    fn one_odd_change_does_not_hide_the_others() {
        let body =
            br#"{"entry":[7,{"id":12,"changes":["x",{"value":{"metadata":{"phone_number_id":34}}},
            {"value":{"metadata":"odd"}}]}]}"#;
        assert_eq!(route(body), Ok(vec![account("12"), number("34")]));
    }

    #[test]
    fn json_that_names_nobody_has_no_route() {
        for body in [
            "{}",
            "[]",
            "7",
            "\"entry\"",
            r#"{"entry":{}}"#,
            r#"{"entry":[]}"#,
        ] {
            assert_eq!(route(body.as_bytes()), Ok(vec![]), "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_told_apart() {
        for body in ["", "{", "hello", r#"{"entry":[{"id":"w"#, "{}{}"] {
            assert_eq!(route(body.as_bytes()), Err(NotJson), "{body}");
        }
    }
}
