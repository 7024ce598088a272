//! Submitted carousels and one-time codes (`whatsapp-cloud-api.md` §4.3, §6.4, §6.5).

use serde_json::Value;

use super::super::super::error::GraphError;
use super::super::parameters::{list, part};
use super::{check_header, text};

/// 2 to 10 cards that are built alike (§4.3).
pub(super) fn cards(cards: &[Value]) -> Result<(), GraphError> {
    if !(2..=10).contains(&cards.len()) {
        return Err(GraphError::new(100, "CAROUSEL must have 2 to 10 cards."));
    }
    let shape = |card: &Value| {
        let parts = list(&card["components"]);
        let header = part(parts, "HEADER").map(|header| header["format"].clone());
        let buttons = part(parts, "BUTTONS").map_or(&[][..], |buttons| list(&buttons["buttons"]));
        (
            header,
            buttons
                .iter()
                .map(|button| button["type"].clone())
                .collect::<Vec<_>>(),
        )
    };
    for card in cards {
        let parts = list(&card["components"]);
        if shape(card) != shape(&cards[0]) {
            return Err(GraphError::new(
                100,
                "CAROUSEL: every card needs the same header format and buttons.",
            ));
        }
        let header = part(parts, "HEADER");
        check_header(
            header.ok_or_else(|| GraphError::new(100, "CAROUSEL: a card needs a HEADER."))?,
        )?;
        if let Some(body) = part(parts, "BODY") {
            text(body, "BODY", 160, 2388072)?;
        }
    }
    Ok(())
}

/// One-time codes: Meta's own text, an OTP button, nothing else (§6.4, §6.5).
pub(super) fn authentication(components: &[Value]) -> Result<(), GraphError> {
    if part(components, "HEADER").is_some()
        || part(components, "BODY").is_some_and(|body| body["text"].is_string())
    {
        return Err(GraphError::new(
            100,
            "An AUTHENTICATION template has no HEADER and no text of its own.",
        ));
    }
    let minutes = part(components, "FOOTER")
        .map(|footer| footer["code_expiration_minutes"].as_u64().unwrap_or(0));
    if minutes.is_some_and(|minutes| !(1..=90).contains(&minutes)) {
        return Err(GraphError::new(
            100,
            "FOOTER: code_expiration_minutes must be 1 to 90.",
        ));
    }
    let buttons = part(components, "BUTTONS").map_or(&[][..], |buttons| list(&buttons["buttons"]));
    let [button] = buttons else {
        return Err(GraphError::new(
            100,
            "An AUTHENTICATION template has exactly one OTP button.",
        ));
    };
    match (button["type"].as_str(), button["otp_type"].as_str()) {
        (Some("OTP"), Some("COPY_CODE")) => Ok(()),
        (Some("OTP"), Some("ONE_TAP" | "ZERO_TAP"))
            if !list(&button["supported_apps"]).is_empty() =>
        {
            let terms =
                button["otp_type"] != "ZERO_TAP" || button["zero_tap_terms_accepted"] == true;
            terms
                .then_some(())
                .ok_or_else(|| GraphError::new(100, "ZERO_TAP needs zero_tap_terms_accepted."))
        }
        _ => Err(GraphError::new(
            100,
            "BUTTONS: an OTP button of type COPY_CODE, ONE_TAP or ZERO_TAP is required.",
        )),
    }
}
