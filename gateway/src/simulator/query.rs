//! Query strings, decoded.

use std::collections::HashMap;

/// The last value of each name.
pub(super) fn parse(query: &str) -> HashMap<String, String> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}
