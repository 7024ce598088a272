//! One content of every kind, from the page that people read: what it shows is tried.

use super::OutboundContent;

/// Every example of `docs/messages.md`.
pub(crate) fn samples() -> Vec<OutboundContent> {
    let page = include_str!("../../../../docs/messages.md");
    page.split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("split gives one at least"))
        .map(|json| serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}")))
        .collect()
}
