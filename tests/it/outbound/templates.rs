//! The templates that the examples are sent by, as their tenant would have created them (facts §6.5).

use serde_json::{Value, json};
use vestibule::domain::DraftClass;
use vestibule::simulator::{TemplateCategory, TemplateSpec};

/// Category and components of each, by name.
fn created(name: &str) -> (TemplateCategory, Value) {
    let body = |text: &str| json!({ "type": "BODY", "text": text });
    match name {
        "delivery_eta" => (
            TemplateCategory::Utility,
            json!([
                { "type": "HEADER", "format": "IMAGE" },
                body("Hello {{first_name}}, your parcel arrives at {{eta}}, please be home."),
                { "type": "BUTTONS", "buttons": [
                    { "type": "URL", "text": "Track", "url": "https://t.example/{{1}}" },
                    { "type": "QUICK_REPLY", "text": "Reschedule" } ] } ]),
        ),
        "payment_received" => (
            TemplateCategory::Utility,
            json!([body(
                "Thank you, {{1}}. We received {{2}} on {{3}}, as agreed."
            )]),
        ),
        "login_code" => (
            TemplateCategory::Authentication,
            json!([
                // Meta writes its text.
                { "type": "BODY", "add_security_recommendation": true },
                { "type": "BUTTONS", "buttons": [ { "type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code" } ] } ]),
        ),
        "spring_sale" => (
            TemplateCategory::Marketing,
            json!([
                { "type": "HEADER", "format": "VIDEO" },
                { "type": "LIMITED_TIME_OFFER", "limited_time_offer": { "text": "Spring", "has_expiration": true } },
                body("Now {{1}} off all chairs."),
                { "type": "BUTTONS", "buttons": [
                    { "type": "COPY_CODE", "example": "SPRING20" },
                    { "type": "URL", "text": "Shop", "url": "https://shop.example/{{1}}" } ] } ]),
        ),
        "new_rooms" => (
            TemplateCategory::Marketing,
            json!([
                body("Hello {{1}}, look at our rooms."),
                { "type": "CAROUSEL", "cards": vec![json!({ "components": [
                    { "type": "HEADER", "format": "IMAGE" },
                    body("Now {{1}} off this room."),
                    { "type": "BUTTONS", "buttons": [ { "type": "QUICK_REPLY", "text": "More" } ] } ] }); 2] } ]),
        ),
        "menu_of_the_week" => (
            TemplateCategory::Marketing,
            json!([
                { "type": "HEADER", "format": "TEXT", "text": "Menu of {{1}}" },
                body("All our soups are here."),
                { "type": "BUTTONS", "buttons": [ { "type": "MPM", "text": "View items" } ] } ]),
        ),
        "spring_news" => (
            TemplateCategory::Marketing,
            json!([
                { "type": "HEADER", "format": "GIF" },
                body("Hello {{1}}, spring is here.") ]),
        ),
        "come_by" => (
            TemplateCategory::Utility,
            json!([
                { "type": "HEADER", "format": "LOCATION" },
                body("Your parcel waits for you here."),
                { "type": "BUTTONS", "buttons": [ { "type": "VOICE_CALL", "text": "Call us" } ] } ]),
        ),
        "your_invoice" => (
            TemplateCategory::Utility,
            json!([
                { "type": "HEADER", "format": "DOCUMENT" },
                body("Here is your invoice."),
                { "type": "BUTTONS", "buttons": [ { "type": "FLOW", "text": "Question", "flow_id": "55001" } ] } ]),
        ),
        "this_chair" => (
            TemplateCategory::Marketing,
            json!([
                { "type": "HEADER", "format": "PRODUCT" },
                body("You liked this chair."),
                { "type": "BUTTONS", "buttons": [ { "type": "CATALOG", "text": "See all" } ] } ]),
        ),
        other => panic!("docs/messages.md sends {other}, which nobody has created"),
    }
}

/// As the simulator keeps it.
pub fn stored(waba_id: &str, sample: &Value) -> TemplateSpec {
    let word = |field: &str| sample[field].as_str().expect("a name and a language");
    let (category, components) = created(word("name"));
    let mut spec = TemplateSpec::approved(waba_id, word("name"), word("language"), "");
    spec.category = category;
    spec.components = components.as_array().expect("components").clone();
    spec
}

/// What its sender rightly claims of it.
pub fn class(sample: &Value) -> DraftClass {
    let Some(name) = sample["name"]
        .as_str()
        .filter(|_| sample["type"] == "template")
    else {
        return DraftClass::Reply;
    };
    match created(name).0 {
        TemplateCategory::Marketing => DraftClass::Marketing,
        TemplateCategory::Utility => DraftClass::Utility,
        TemplateCategory::Authentication => DraftClass::Authentication,
    }
}
