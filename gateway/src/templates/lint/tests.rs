//! Each finding has a template that earns it, and an ordinary template earns none.

use serde_json::{Value, json};

use super::*;

/// Facts §6.5, as it stands there.
fn ordinary() -> Value {
    json!({
        "name": "delivery_eta", "language": "en_GB", "category": "UTILITY", "parameter_format": "NAMED",
        "message_send_ttl_seconds": 7200,
        "components": [
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW1"]}},
            {"type": "BODY", "text": "Hello {{first_name}}, your parcel arrives at {{eta}}, please be home.",
                "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Ines"},
                    {"param_name": "eta", "example": "10:30"}]}},
            {"type": "FOOTER", "text": "Parcel Co"},
            {"type": "BUTTONS", "buttons": [
                {"type": "URL", "text": "Track", "url": "https://t.example/{{1}}", "example": ["https://t.example/trk-1"]},
                {"type": "QUICK_REPLY", "text": "Reschedule"}]},
        ],
    })
}

fn found(template: Value) -> Vec<Finding> {
    lint(&serde_json::from_value(template).expect("a template"))
}

fn codes(template: Value) -> Vec<String> {
    let mut codes: Vec<String> = found(template).into_iter().map(|one| one.code).collect();
    codes.dedup();
    codes
}

/// The ordinary template with one thing changed.
fn with(pointer: &str, value: Value) -> Value {
    let mut template = ordinary();
    *template.pointer_mut(pointer).expect("a place") = value;
    template
}

fn body(text: &str) -> Value {
    let mut template = with("/components/1/text", json!(text));
    template["parameter_format"] = Value::Null;
    template["components"][1]["example"] = json!({"body_text": [["a", "b", "c"]]});
    template
}

#[test]
fn an_ordinary_template_passes() {
    assert_eq!(found(ordinary()), []);
    let code = json!({"name": "login_code", "language": "en", "category": "AUTHENTICATION", "components": [
        {"type": "BODY", "add_security_recommendation": true}, {"type": "FOOTER", "code_expiration_minutes": 10},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "ONE_TAP",
            "supported_apps": [{"package_name": "com.example.app", "signature_hash": "K8a/AINcGX7"}]}]}]});
    assert_eq!(found(code), []);
}

#[test]
fn forms_are_judged_field_by_field() {
    for (pointer, value, code) in [
        ("/name", json!("Delivery ETA"), "name_form"),
        ("/name", json!(""), "name_form"),
        ("/language", json!("english"), "language_form"),
        ("/language", json!("en-GB"), "language_form"),
        ("/category", json!("utility"), "category_unknown"),
        (
            "/parameter_format",
            json!("MIXED"),
            "parameter_format_unknown",
        ),
        ("/message_send_ttl_seconds", json!(5), "ttl_range"),
        ("/components/0/example", json!({}), "header_sample_missing"),
        ("/components/0/format", json!("PICTURE"), "header_format"),
        (
            "/components/1/text",
            json!("x".repeat(1_025)),
            "text_too_long",
        ),
        ("/components/1/text", json!(" "), "text_missing"),
        ("/components/1/example", json!({}), "example_missing"),
        ("/components/2/text", json!("{{1}} Co"), "footer_variable"),
        ("/components/2/type", json!("HEADER"), "component_repeated"),
        ("/components/2/type", json!("Body"), "component_unknown"),
        (
            "/parameter_format",
            Value::Null,
            "parameter_format_mismatch",
        ),
        ("/components/3/buttons", json!([]), "button_count"),
        (
            "/components/3/buttons/0/url",
            json!("t.example/{{1}}"),
            "url_form",
        ),
        (
            "/components/3/buttons/0/url",
            json!("https://t.example/{{1}}/x"),
            "url_variable",
        ),
        (
            "/components/3/buttons/0/example",
            json!([]),
            "example_missing",
        ),
        (
            "/components/3/buttons/0/url",
            json!("https://bit.ly/x"),
            "url_shortened",
        ),
        (
            "/components/3/buttons/0/url",
            json!("http://t.example/x"),
            "url_plain",
        ),
        (
            "/components/3/buttons/1/text",
            json!("Track"),
            "button_text_repeated",
        ),
        (
            "/components/3/buttons/1/text",
            json!("x".repeat(26)),
            "button_field_length",
        ),
        (
            "/components/3/buttons/1/text",
            json!("Hi {{1}}"),
            "button_text_variable",
        ),
        (
            "/components/3/buttons/1/type",
            json!("DANCE"),
            "button_kind",
        ),
        (
            "/components/3/buttons/1/type",
            json!("FLOW"),
            "flow_missing",
        ),
        (
            "/components/3/buttons/1/type",
            json!("COPY_CODE"),
            "example_missing",
        ),
    ] {
        let codes = codes(with(pointer, value.clone()));
        assert!(
            codes.iter().any(|found| found == code),
            "{pointer} {value}: {codes:?}"
        );
    }
}

#[test]
fn variables_have_words_around_them() {
    for (text, expected) in [
        (
            "Hello {{1}}, your parcel arrives at {{2}}, please be home.",
            vec![],
        ),
        (
            "{{1}}, your parcel arrives today, please be home.",
            vec!["variable_at_start"],
        ),
        (
            "Your parcel arrives today, please be home, {{1}}",
            vec!["variable_at_end"],
        ),
        (
            "Your parcel arrives today, please be home, {{1}}.",
            vec!["variable_at_end"],
        ),
        (
            "Your parcel of {{1}} {{2}} arrives today, please be home then.",
            vec!["variables_adjacent"],
        ),
        (
            "Your parcel of {{1}}, {{2}} arrives today, please be home then.",
            vec!["variables_adjacent"],
        ),
        (
            "Parcel {{1}} and {{2}} or {{3}} now",
            vec!["too_many_variables"],
        ),
        (
            "Hello {{1}}, your parcel arrives at {{3}}, please be home.",
            vec!["variable_numbering"],
        ),
        (
            "Hello {{1}}, your parcel arrives at {{Eta}}, please be home.",
            vec!["variable_form", "example_missing", "variables_mixed"],
        ),
        (
            "Hello {{1}}, your parcel arrives at {{2, please be home.",
            vec!["variable_form"],
        ),
    ] {
        assert_eq!(codes(body(text)), expected, "{text}");
    }
}

#[test]
fn buttons_are_counted_and_ordered() {
    let buttons = |buttons: Value| codes(with("/components/3/buttons", buttons));
    let reply = |n: usize| json!({"type": "QUICK_REPLY", "text": format!("Reply {n}")});
    let url =
        |n: usize| json!({"type": "URL", "text": format!("Go {n}"), "url": "https://a.example"});
    assert_eq!(
        buttons(json!([reply(1), url(1), reply(2)])),
        ["quick_replies_scattered"]
    );
    assert_eq!(
        buttons(json!([url(1), url(2), url(3)])),
        ["button_kind_count"]
    );
    assert_eq!(
        buttons(json!([reply(1), reply(2), reply(3), reply(4)])),
        ["buttons_hidden"]
    );
    let eleven: Vec<Value> = (0..11).map(reply).collect();
    assert_eq!(
        buttons(json!(eleven)),
        ["button_count", "button_kind_count", "buttons_hidden"]
    );
}

#[test]
fn one_time_codes_are_metas_own() {
    let code = |components: Value| {
        codes(
            json!({"name": "login", "language": "en", "category": "AUTHENTICATION", "components": components}),
        )
    };
    let body = json!({"type": "BODY"});
    let otp = |otp: Value| json!({"type": "BUTTONS", "buttons": [otp]});
    assert_eq!(code(json!([body])), ["code_button"]);
    let copy = otp(json!({"type": "OTP", "otp_type": "COPY_CODE"}));
    assert_eq!(
        code(json!([{"type": "BODY", "text": "Code {{1}} is yours"}, copy])),
        ["code_body_text"]
    );
    assert_eq!(
        code(json!([body, {"type": "FOOTER", "text": "Soon"}, copy])),
        ["code_footer"]
    );
    assert_eq!(
        code(json!([body, {"type": "HEADER", "format": "LOCATION"}, copy])),
        ["code_component"]
    );
    assert_eq!(
        code(json!([
            body,
            otp(json!({"type": "OTP", "otp_type": "TAP"}))
        ])),
        ["code_otp_type"]
    );
    let zero = otp(
        json!({"type": "OTP", "otp_type": "ZERO_TAP", "supported_apps": [{"signature_hash": "short"}]}),
    );
    assert_eq!(
        code(json!([body, zero])),
        ["code_app_hash", "code_zero_tap_terms"]
    );
    assert_eq!(
        code(json!([
            body,
            otp(json!({"type": "OTP", "otp_type": "ONE_TAP"}))
        ])),
        ["code_apps"]
    );
}

#[test]
fn cards_are_built_alike_and_offers_are_marketing() {
    let card = |format: &str| {
        json!({"components": [
        {"type": "HEADER", "format": format, "example": {"header_handle": ["4::x"]}},
        {"type": "BODY", "text": "Our best coffee of the year"},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "More"}]}]})
    };
    let carousel = |cards: Value| {
        codes(
            json!({"name": "coffee", "language": "en", "category": "MARKETING", "components": [
            {"type": "BODY", "text": "New coffee is here. Reply STOP to opt out of this."},
            {"type": "CAROUSEL", "cards": cards}]}),
        )
    };
    assert_eq!(
        carousel(json!([card("IMAGE"), card("IMAGE")])),
        Vec::<String>::new()
    );
    assert_eq!(carousel(json!([card("IMAGE")])), ["card_count"]);
    assert_eq!(
        carousel(json!([card("IMAGE"), card("VIDEO")])),
        ["cards_differ"]
    );
    let bare = json!({"components": [{"type": "BODY", "text": "Our best coffee"}]});
    assert_eq!(carousel(json!([bare, bare])), ["card_header_missing"]);
    let mut offer = ordinary();
    offer["components"][2] =
        json!({"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": ""}});
    assert_eq!(codes(offer), ["offer_category", "offer_text"]);
}

#[test]
fn a_utility_text_that_sells_is_told() {
    for (text, expected) in [
        (
            "Your order {{1}} is on its way to you today, thank you.",
            vec![],
        ),
        (
            "Your order {{1}} is here, and now 20% off for you today!",
            vec!["utility_promotes"],
        ),
        (
            "Your order is here. Don't miss our summer SALE this week.",
            vec!["utility_promotes"],
        ),
        (
            "We miss you! Your account is waiting for you here.",
            vec!["utility_solicits"],
        ),
        (
            "Something wonderful is waiting for all of you today.",
            vec!["utility_general"],
        ),
        (
            "Wholesale orders are packed by us before noon each day.",
            vec!["utility_general"],
        ),
        (
            "Hi {{1}} there",
            vec!["too_many_variables", "utility_unclear"],
        ),
    ] {
        assert_eq!(codes(body(text)), expected, "{text}");
    }
    let promo = found(body("Ihre Bestellung ist da. Heute mit Rabatt auf alles!"));
    assert_eq!(promo[0].at, "/components/1/text");
    assert!(!has_errors(&promo));
}

#[test]
fn marketing_says_how_to_stop_it() {
    let marketing = |footer: &str| {
        let mut template = body("Our spring sale begins today for all of you, come in.");
        template["category"] = json!("MARKETING");
        template["message_send_ttl_seconds"] = Value::Null;
        template["components"][2]["text"] = json!(footer);
        codes(template)
    };
    assert_eq!(marketing("Parcel Co"), ["marketing_no_way_out"]);
    assert_eq!(marketing("Reply STOP to opt out"), Vec::<String>::new());
}

#[test]
fn every_finding_says_how_to_mend_it() {
    for finding in found(json!({"name": "X", "language": "x", "category": "x", "components": []})) {
        assert!(
            !finding.mend.is_empty() && finding.at.starts_with('/'),
            "{finding:?}"
        );
    }
}
