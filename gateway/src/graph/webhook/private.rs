//! A message's raw JSON as a plugin may see it: without the phones, user ids and wamids of people.
//!
//! Plugins know people by opaque handles (design.md §4). What the customer wrote stays: it is what plugins are for.

use serde_json::Value;

/// Keys that hold a person's identifier wherever they stand (facts §2.3).
const PRIVATE: [&str; 9] = [
    "from",
    "to",
    "input",
    "recipient",
    "vcard",
    "emails",
    "group_id",
    "invite_link",
    "url",
];

/// Parts of keys that tell the same, so that next year's `..._user_id` is caught as well.
const PRIVATE_PARTS: [&str; 8] = [
    "phone",
    "wa_id",
    "user_id",
    "username",
    "participant",
    "message_id",
    "recipient_",
    "identity",
];

/// Longer elements show nothing: as values they would take a hundred times their size, and no plugin asks for them.
const LONGEST: usize = 256 << 10;

/// A `messages[]` element without identifiers of people; `{}` when it is no object, too long or nested too deeply.
///
/// A wamid contains the phone number, so message ids go too; so do media URLs, which anyone can fetch for 5 minutes.
/// A `system` notice loses its words: they spell out the old and the new number.
pub fn raw_without_personal_data(raw: &str) -> String {
    if raw.len() > LONGEST {
        return "{}".to_owned();
    }
    let Ok(Value::Object(mut element)) = serde_json::from_str::<Value>(raw) else {
        return "{}".to_owned();
    };
    element.remove("id");
    for (key, private) in [("context", "id"), ("system", "body")] {
        if let Some(Value::Object(object)) = element.get_mut(key) {
            object.remove(private);
        }
    }
    let mut element = Value::Object(element);
    strip(&mut element);
    element.to_string()
}

/// Recurses as deep as the value, which serde_json limits to 128 levels.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, value| !is_private(key) && !is_wamid(value));
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => {
            values.retain(|value| !is_wamid(value));
            values.iter_mut().for_each(strip);
        }
        _ => {}
    }
}

fn is_private(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    PRIVATE.contains(&key.as_str()) || PRIVATE_PARTS.iter().any(|part| key.contains(part))
}

fn is_wamid(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.starts_with("wamid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_sees_the_message_and_not_the_person() {
        let raw = r#"{"from":"447700900123","from_user_id":"GB.44100938","id":"wamid.A1","timestamp":"1795252000",
            "type":"interactive","context":{"from":"441632960111","id":"opaque","forwarded":true},
            "interactive":{"type":"button_reply","button_reply":{"id":"keep","title":"Keep"}}}"#;
        insta::assert_snapshot!(raw_without_personal_data(raw), @r#"{"context":{"forwarded":true},"interactive":{"button_reply":{"id":"keep","title":"Keep"},"type":"button_reply"},"timestamp":"1795252000","type":"interactive"}"#);
    }

    #[test]
    fn a_shared_contact_loses_its_numbers() {
        let raw = r#"{"type":"contacts","contacts":[{"name":{"formatted_name":"Front Desk"},
            "phones":[{"phone":"+441632960222","wa_id":"441632960222"}],"vcard":"BEGIN:VCARD"}]}"#;
        insta::assert_snapshot!(raw_without_personal_data(raw), @r#"{"contacts":[{"name":{"formatted_name":"Front Desk"}}],"type":"contacts"}"#);
    }

    #[test]
    fn a_change_of_number_does_not_tell_the_numbers() {
        let raw = r#"{"from":"447700900123","type":"system","system":{"type":"user_changed_number",
            "wa_id":"447700900999","body":"447700900123 is now 447700900999"}}"#;
        insta::assert_snapshot!(raw_without_personal_data(raw), @r#"{"system":{"type":"user_changed_number"},"type":"system"}"#);
    }

    #[test]
    fn what_is_no_object_shows_nothing() {
        for raw in ["", "7", "[\"447700900123\"]", "{"] {
            assert_eq!(raw_without_personal_data(raw), "{}");
        }
    }
}
