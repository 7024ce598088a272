//! Buttons: how many of which kind, in which order, with what (§6.5).

use serde_json::Value;

use super::Findings;
use crate::graph::template::list;

/// Most of a kind; all together at most ten.
const KINDS: &[(&str, usize)] = &[
    ("QUICK_REPLY", 10),
    ("URL", 2),
    ("PHONE_NUMBER", 1),
    ("COPY_CODE", 1),
    ("FLOW", 1),
    ("CATALOG", 1),
    ("MPM", 1),
    ("SPM", 1),
    ("OTP", 1),
    ("VOICE_CALL", 1),
    ("ORDER_DETAILS", 1),
    ("REQUEST_CONTACT_INFO", 1),
];
const MOST: usize = 10;
/// More are shown behind "see all options".
const SHOWN: usize = 3;
const TEXT: usize = 25;
const URL: usize = 2_000;
const PHONE: usize = 20;
const COUPON: usize = 20;
/// Addresses that shorten others hide where they lead: reviewers reject them.
const SHORTENERS: [&str; 6] = ["bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "wa.me"];

pub(super) fn check(component: &Value, at: &str, findings: &mut Findings) {
    let buttons = list(&component["buttons"]);
    let at = format!("{at}/buttons");
    if buttons.is_empty() || buttons.len() > MOST {
        let problem = format!("there are {} buttons", buttons.len());
        findings.error("button_count", &at, problem, "1 to 10 buttons");
    }
    for (kind, most) in KINDS {
        let given = buttons.iter().filter(|one| one["type"] == *kind).count();
        if given > *most {
            let problem = format!("{given} of type {kind} where {most} may be");
            findings.error("button_kind_count", &at, problem, "take the others out");
        }
    }
    order(buttons, &at, findings);
    if buttons.len() > SHOWN {
        findings.warning(
            "buttons_hidden",
            &at,
            "WhatsApp shows two of them and hides the others behind a list; on computers all are hidden",
            "three buttons at most, the important one first",
        );
    }
    let mut titles: Vec<&str> = Vec::new();
    for (place, button) in buttons.iter().enumerate() {
        let at = format!("{at}/{place}");
        one(button, &at, findings);
        let title = button["text"].as_str().unwrap_or_default();
        if !title.is_empty() && titles.contains(&title) {
            let mend = "give every button words of its own";
            findings.error(
                "button_text_repeated",
                &at,
                format!("`{title}` stands twice"),
                mend,
            );
        }
        titles.push(title);
    }
}

/// Quick replies stand together, before or after the others: one change of kind at most.
fn order(buttons: &[Value], at: &str, findings: &mut Findings) {
    let replies: Vec<bool> = buttons
        .iter()
        .map(|button| button["type"] == "QUICK_REPLY")
        .collect();
    if replies.windows(2).filter(|pair| pair[0] != pair[1]).count() > 1 {
        findings.error(
            "quick_replies_scattered",
            at,
            "quick replies stand between other buttons",
            "put all quick replies before or after all others",
        );
    }
}

fn one(button: &Value, at: &str, findings: &mut Findings) {
    let kind = button["type"].as_str().unwrap_or_default();
    if !KINDS.iter().any(|(known, _)| *known == kind) {
        let mend =
            "QUICK_REPLY, URL, PHONE_NUMBER, COPY_CODE, FLOW, CATALOG, MPM, OTP, VOICE_CALL …";
        findings.error(
            "button_kind",
            at,
            format!("`{kind}` is no type of button"),
            mend,
        );
        return;
    }
    if !matches!(kind, "OTP" | "COPY_CODE") {
        length(button, "text", TEXT, at, findings);
    }
    let text = button["text"].as_str().unwrap_or_default();
    if text.contains("{{") {
        let mend = "write the words out: only the end of an address varies";
        findings.error(
            "button_text_variable",
            at,
            "its words have a variable",
            mend,
        );
    }
    match kind {
        "URL" => url(button, at, findings),
        "PHONE_NUMBER" => length(button, "phone_number", PHONE, at, findings),
        "COPY_CODE" => coupon(button, at, findings),
        "FLOW" => flow(button, at, findings),
        _ => {}
    }
}

fn length(button: &Value, field: &str, most: usize, at: &str, findings: &mut Findings) {
    let count = button[field]
        .as_str()
        .map_or(0, |text| text.trim().chars().count());
    if !(1..=most).contains(&count) {
        let problem = format!("`{field}` has {count} characters");
        let mend = match most {
            TEXT => "1 to 25 characters",
            PHONE => "1 to 20 characters, with the country's code",
            _ => "1 to 2000 characters",
        };
        findings.error(
            "button_field_length",
            &format!("{at}/{field}"),
            problem,
            mend,
        );
    }
}

fn url(button: &Value, at: &str, findings: &mut Findings) {
    length(button, "url", URL, at, findings);
    let url = button["url"].as_str().unwrap_or_default();
    let at = &format!("{at}/url");
    if !url.starts_with("https://") && !url.starts_with("http://") {
        findings.error("url_form", at, "it is no address", "begin it with https://");
    } else if url.starts_with("http://") {
        findings.warning("url_plain", at, "it is not encrypted", "use https://");
    }
    let host = url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split(['/', '?']).next());
    let host = host.unwrap_or_default().trim_start_matches("www.");
    if SHORTENERS.contains(&host) {
        let mend =
            "write the address of your own site; a chat is opened by a quick reply, not by wa.me";
        findings.warning(
            "url_shortened",
            at,
            format!("reviewers reject addresses of {host}"),
            mend,
        );
    }
    if url.contains("{{") {
        if !url.ends_with("{{1}}") || url.matches("{{").count() > 1 {
            findings.error(
                "url_variable",
                at,
                "the one variable of an address is {{1}}, at its end",
                "https://your.example/path/{{1}}",
            );
        }
        let example = list(&button["example"])
            .first()
            .unwrap_or(&button["example"]);
        if example.as_str().is_none_or(str::is_empty) {
            findings.error(
                "example_missing",
                &at.replace("/url", "/example"),
                "the address has a variable and no example",
                "a whole address: [\"https://your.example/path/4711\"]",
            );
        }
    }
}

fn coupon(button: &Value, at: &str, findings: &mut Findings) {
    let example = list(&button["example"])
        .first()
        .unwrap_or(&button["example"]);
    let count = example.as_str().map_or(0, |code| code.chars().count());
    if !(1..=COUPON).contains(&count) {
        findings.error(
            "example_missing",
            &format!("{at}/example"),
            "a coupon needs an example of 1 to 20 characters",
            "example: \"SPRING20\"",
        );
    }
}

fn flow(button: &Value, at: &str, findings: &mut Findings) {
    if ["flow_id", "flow_json", "flow_name"]
        .iter()
        .all(|name| button[*name].is_null())
    {
        findings.error(
            "flow_missing",
            at,
            "it names no flow",
            "flow_id of a published flow, or flow_name, or flow_json",
        );
    }
}
