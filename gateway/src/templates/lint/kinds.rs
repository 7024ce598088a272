//! Carousels, offers and one-time codes; and what stands twice (§4.3, §6.4, §6.5).

use serde_json::Value;

use super::{Findings, TemplateDraft, buttons, text};
use crate::graph::template::{list, part};

const CARD_BODY: usize = 160;
const OFFER_TEXT: usize = 16;

pub(super) fn repeated(draft: &TemplateDraft, findings: &mut Findings) {
    let mut seen: Vec<&str> = Vec::new();
    for (place, component) in draft.components.iter().enumerate() {
        let kind = component["type"].as_str().unwrap_or_default();
        if seen.contains(&kind) {
            let at = format!("/components/{place}");
            let mend = "one of each: make one component of them";
            findings.error("component_repeated", &at, format!("a second {kind}"), mend);
        }
        seen.push(kind);
    }
}

/// 2 to 10 cards that are built alike.
pub(super) fn carousel(component: &Value, at: &str, findings: &mut Findings) {
    let cards = list(&component["cards"]);
    let at = format!("{at}/cards");
    if !(2..=10).contains(&cards.len()) {
        let problem = format!("there are {} cards", cards.len());
        findings.error("card_count", &at, problem, "2 to 10 cards");
    }
    for (place, card) in cards.iter().enumerate() {
        let at = format!("{at}/{place}/components");
        let parts = list(&card["components"]);
        if shape(parts) != shape(list(&cards[0]["components"])) {
            findings.error(
                "cards_differ",
                &at,
                "it is built otherwise than the first card",
                "the same header format and the same types of buttons on every card",
            );
        }
        if part(parts, "HEADER").is_none() {
            let mend = "add a HEADER with an image or a video";
            findings.error("card_header_missing", &at, "it has no header", mend);
        }
        for (index, component) in parts.iter().enumerate() {
            let at = format!("{at}/{index}");
            match component["type"].as_str().unwrap_or_default() {
                "HEADER" => text::header(component, &at, findings),
                "BODY" => text::body(component, CARD_BODY, &at, findings),
                "BUTTONS" => buttons::check(component, &at, findings),
                _ => {
                    let problem = "a card has a HEADER, a BODY and BUTTONS";
                    findings.error("component_unknown", &at, problem, "take it out");
                }
            }
        }
    }
}

fn shape(parts: &[Value]) -> (Option<&Value>, Vec<&Value>) {
    let header = part(parts, "HEADER").map(|header| &header["format"]);
    let buttons = part(parts, "BUTTONS").map_or(&[][..], |buttons| list(&buttons["buttons"]));
    (
        header,
        buttons.iter().map(|button| &button["type"]).collect(),
    )
}

pub(super) fn offer(draft: &TemplateDraft, component: &Value, at: &str, findings: &mut Findings) {
    if draft.category != "MARKETING" {
        let problem = "a limited-time offer is marketing";
        findings.error("offer_category", at, problem, "category MARKETING");
    }
    let words = component["limited_time_offer"]["text"]
        .as_str()
        .unwrap_or_default();
    if !(1..=OFFER_TEXT).contains(&words.chars().count()) {
        let at = format!("{at}/limited_time_offer/text");
        let mend = "1 to 16 characters, such as \"Ends soon!\"";
        findings.error("offer_text", &at, "it says nothing, or too much", mend);
    }
    if part(&draft.components, "FOOTER").is_some() {
        findings.error(
            "offer_footer",
            at,
            "an offer has no footer",
            "take the FOOTER out",
        );
    }
}

/// Meta's own text, an OTP button, nothing else (§6.4): anything more is rejected as INCORRECT_CATEGORY.
pub(super) fn authentication(draft: &TemplateDraft, findings: &mut Findings) {
    for (place, component) in draft.components.iter().enumerate() {
        let at = format!("/components/{place}");
        match component["type"].as_str().unwrap_or_default() {
            "BODY" if component["text"].is_string() => findings.error(
                "code_body_text",
                &format!("{at}/text"),
                "Meta writes the text of one-time codes itself",
                "leave the text out; add_security_recommendation adds a sentence",
            ),
            "FOOTER" => {
                let minutes = component["code_expiration_minutes"].as_i64();
                if !minutes.is_some_and(|minutes| (1..=90).contains(&minutes)) {
                    let mend = "code_expiration_minutes of 1 to 90, and no text";
                    findings.error("code_footer", &at, "its footer says when a code ends", mend);
                }
            }
            "HEADER" | "CAROUSEL" | "LIMITED_TIME_OFFER" => {
                let mend = "take it out, or submit the template as UTILITY";
                findings.error(
                    "code_component",
                    &at,
                    "one-time codes have no such part",
                    mend,
                );
            }
            _ => {}
        }
    }
    let buttons = part(&draft.components, "BUTTONS").map_or(&[][..], |part| list(&part["buttons"]));
    match buttons {
        [button] if button["type"] == "OTP" => one_time_code(button, findings),
        _ => findings.error(
            "code_button",
            "/components",
            "one-time codes have exactly one button, of type OTP",
            "{\"type\": \"OTP\", \"otp_type\": \"COPY_CODE\"}",
        ),
    }
}

fn one_time_code(button: &Value, findings: &mut Findings) {
    let at = "/components";
    let kind = button["otp_type"].as_str().unwrap_or_default();
    if !["COPY_CODE", "ONE_TAP", "ZERO_TAP"].contains(&kind) {
        let mend = "COPY_CODE, ONE_TAP or ZERO_TAP";
        findings.error(
            "code_otp_type",
            at,
            format!("`{kind}` is no otp_type"),
            mend,
        );
    }
    let apps = list(&button["supported_apps"]);
    if ["ONE_TAP", "ZERO_TAP"].contains(&kind) && apps.is_empty() {
        let mend = "supported_apps with package_name and signature_hash (11 characters)";
        findings.error(
            "code_apps",
            at,
            "the app that takes the code is not named",
            mend,
        );
    }
    let hash = |app: &Value| {
        app["signature_hash"]
            .as_str()
            .map_or(0, |hash| hash.chars().count())
    };
    if apps.iter().any(|app| hash(app) != 11) {
        let mend = "the 11 characters of the app's key hash";
        findings.error(
            "code_app_hash",
            at,
            "a signature_hash has 11 characters",
            mend,
        );
    }
    if kind == "ZERO_TAP" && button["zero_tap_terms_accepted"] != true {
        let mend = "read Meta's terms, then zero_tap_terms_accepted: true";
        findings.error(
            "code_zero_tap_terms",
            at,
            "the terms of ZERO_TAP are not accepted",
            mend,
        );
    }
}
