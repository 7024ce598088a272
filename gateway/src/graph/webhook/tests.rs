//! One fixture per shape of webhook (`tests/fixtures/webhooks/`, facts §11.3) and the items it splits into; and what
//! holds for every body: nothing panics, nothing is lost, the two readers agree.

mod future;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::domain::PersonRef;

fn fixtures() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/webhooks");
    let files = std::fs::read_dir(folder).expect("the fixtures' folder");
    let paths = files.map(|file| file.expect("a fixture").path());
    let fixtures: BTreeMap<_, _> = paths
        .map(|path| {
            (
                name(&path),
                std::fs::read_to_string(&path).expect("a fixture's text"),
            )
        })
        .collect();
    assert!(
        fixtures.contains_key("text_with_phone_and_bsuid"),
        "not the fixtures' folder"
    );
    fixtures
}

fn name(path: &Path) -> String {
    path.file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

fn items(body: &str) -> Vec<Item> {
    read(body.as_bytes()).expect("JSON")
}

#[test]
fn every_fixture_splits_into_the_items_that_its_snapshot_shows() {
    for (name, body) in fixtures() {
        let items = items(&body);
        let shown: String = items.iter().map(shown).collect();
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

fn shown(item: &Item) -> String {
    let mut out = String::new();
    let Item {
        waba_id,
        phone_number_id,
        field,
        at,
        key,
        kind,
        ..
    } = item;
    let at = at.map_or("no time".to_owned(), |at| at.to_string());
    let number = phone_number_id.as_deref().unwrap_or("no number");
    writeln!(out, "{field} of {waba_id}, {number}, {at}").expect("a string takes it");
    writeln!(out, "  key {key}").expect("a string takes it");
    match kind {
        ItemKind::Message {
            wamid,
            from,
            profile_name,
            username,
            message,
        } => {
            let message = serde_json::to_string(message).expect("JSON");
            writeln!(
                out,
                "  message {wamid} from {} {profile_name:?} {username:?}",
                who(from.as_ref())
            )
            .and_then(|()| writeln!(out, "  {message}"))
        }
        ItemKind::Account(news) => {
            let facts = news.facts.iter().map(|fact| {
                let then = serde_json::to_string(&fact.then).expect("JSON");
                format!("  {} = {}, then {then}\n", fact.name, fact.value)
            });
            let facts: String = facts.collect();
            write!(out, "  of {:?}:\n{facts}", news.subject)
        }
        ItemKind::Status { receipt, recipient } => {
            let receipt = serde_json::to_string(receipt).expect("JSON");
            writeln!(out, "  status {receipt} to {}", who(recipient.as_ref()))
        }
        ItemKind::Preference { person, choice } => {
            writeln!(out, "  marketing {choice:?} of {}", who(Some(person)))
        }
        ItemKind::Other { what } => writeln!(out, "  other: {what}"),
    }
    .expect("a string takes it");
    out
}

fn who(person: Option<&PersonRef>) -> String {
    person.map_or("nobody".to_owned(), |person| {
        let phone = person.phone.as_ref().map_or("-", |phone| phone.digits());
        let bsuid = person.bsuid.as_ref().map_or("-", |bsuid| bsuid.as_str());
        let parent = person.parent.as_ref().map(|id| id.as_str());
        let parent = parent.map_or(String::new(), |id| format!(" parent {id}"));
        format!("phone {phone} bsuid {bsuid}{parent}")
    })
}

/// A type of tomorrow that brings a file is a file: it can be downloaded and answered with.
#[test]
fn a_file_of_a_type_that_nobody_knows_is_a_file() {
    let unknown = &fixtures()["unknown_type"];
    let hologram = r#"{
         "depth": 3
        }"#;
    assert!(unknown.contains(hologram), "{unknown}");
    let message = |object: &str| shown(&items(&unknown.replace(hologram, object))[0]);
    let file = message(r#"{"id": "118", "mime_type": "model/gltf+json"}"#);
    assert!(
        file.contains(r#""kind":"hologram","media_id":"118","mime_type":"model/gltf+json""#),
        "{file}"
    );
    for none in [r#"{"id": "118"}"#, r#"{"mime_type": "model/gltf+json"}"#] {
        let other = message(none);
        assert!(!other.contains("media_id"), "{other}");
    }
}

#[test]
fn an_item_s_raw_text_is_a_piece_of_the_body_or_json_made_of_such_pieces() {
    for (name, body) in fixtures() {
        for item in items(&body) {
            let made_here = name == "unknown_list_beside_messages" && !body.contains(&item.raw);
            assert!(made_here || body.contains(&item.raw), "{name}");
            assert!(
                serde_json::from_str::<serde_json::Value>(&item.raw).is_ok(),
                "{name}"
            );
        }
    }
}

#[test]
fn the_same_body_again_has_the_same_keys_and_different_elements_different_ones() {
    let keys = |body: &str| {
        let mut keys: Vec<_> = items(body).into_iter().map(|item| item.key).collect();
        keys.sort();
        keys
    };
    for (name, body) in fixtures() {
        let compact: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(keys(&body), keys(&compact.to_string()), "{name}");
    }
    let mut repeated = keys(&fixtures()["statuses_out_of_order"]);
    assert_eq!(repeated.len(), 4);
    repeated.dedup();
    assert_eq!(repeated.len(), 3, "Meta repeats itself once");
}

#[test]
fn every_item_s_number_or_account_is_among_the_routes() {
    for (name, body) in fixtures() {
        let routes = route(body.as_bytes()).expect("JSON");
        for item in items(&body).iter().filter(|item| item.field != "body") {
            let known = routes.iter().any(|route| match route {
                Route::Number(number) => item.phone_number_id.as_deref() == Some(number),
                Route::Account(id) => item.waba_id == *id || item.field == "account_update",
            });
            let nowhere = item.field == "entry";
            assert!(known || nowhere, "{name}: {routes:?}");
        }
    }
}

#[test]
fn plugins_never_see_who_it_was() {
    for (name, body) in fixtures() {
        for item in items(&body)
            .iter()
            .filter(|item| matches!(item.kind, ItemKind::Message { .. }))
        {
            let seen = raw_without_personal_data(&item.raw);
            for private in ["447700900", "GB.44100938", "BR.7712", "wamid", "441632960"] {
                assert!(!seen.contains(private), "{name}: {seen}");
            }
        }
    }
}

#[test]
fn items_do_not_print_personal_data() {
    for (name, body) in fixtures() {
        let printed = format!("{:?}", items(&body));
        for private in ["447700900", "GB.44100938", "wamid", "Ines", "is it open"] {
            assert!(!printed.contains(private), "{name}: {printed}");
        }
    }
}

#[test]
fn a_body_of_three_megabytes_with_a_thousand_messages_is_read_whole() {
    let message = |n: usize| {
        let text = "x".repeat(2_900);
        format!(
            r#"{{"from":"4477009{n:05}","id":"wamid.{n}","timestamp":"1795252000","type":"text","text":{{"body":"{text}"}}}}"#
        )
    };
    let contact = |n: usize| format!(r#"{{"profile":{{"name":"N{n}"}},"wa_id":"4477009{n:05}"}}"#);
    let joined = |one: &dyn Fn(usize) -> String| (0..1_000).map(one).collect::<Vec<_>>().join(",");
    let body = format!(
        r#"{{"entry":[{{"id":"w","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"p"}},"contacts":[{}],"messages":[{}]}}}}]}}]}}"#,
        joined(&contact),
        joined(&message)
    );
    let items = items(&body);
    assert_eq!((items.len(), body.len() > 2_900_000), (1_000, true));
    for (n, item) in items.iter().enumerate() {
        let ItemKind::Message { profile_name, .. } = &item.kind else {
            panic!("not a message")
        };
        assert_eq!(profile_name.as_deref(), Some(format!("N{n}").as_str()));
    }
}

#[test]
fn a_body_that_is_not_utf_8_loses_characters_and_no_message() {
    let mut body = fixtures()["text_with_phone_and_bsuid"].clone().into_bytes();
    let at = body
        .windows(4)
        .position(|bytes| bytes == b"open")
        .expect("the text");
    body[at] = 0xff;
    let items = read(&body).expect("JSON");
    assert!(matches!(items[0].kind, ItemKind::Message { .. }));
}

#[test]
fn what_is_not_json_is_refused_by_both() {
    for body in ["", "{", "hello", "{}{}", "{\"entry\":[}"] {
        assert_eq!(read(body.as_bytes()), Err(NotJson));
        assert_eq!(route(body.as_bytes()), Err(NotJson));
    }
}

/// JSON of Meta's vocabulary in any arrangement: where a lenient reader is most easily led astray.
fn odd_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    const WORDS: [&str; 24] = [
        "entry",
        "changes",
        "field",
        "value",
        "messages",
        "statuses",
        "errors",
        "contacts",
        "metadata",
        "phone_number_id",
        "id",
        "type",
        "text",
        "body",
        "interactive",
        "button_reply",
        "image",
        "status",
        "sent",
        "timestamp",
        "from",
        "context",
        "wa_id",
        "code",
    ];
    let word = proptest::sample::select(WORDS.as_slice());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(
                    fields
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// What both readers owe any body whatever.
fn survives(body: &[u8]) -> Result<(), TestCaseError> {
    let routes = route(body);
    let items = read(body);
    if str::from_utf8(body).is_ok() {
        prop_assert_eq!(routes.is_ok(), items.is_ok());
    }
    for item in items.into_iter().flatten() {
        raw_without_personal_data(&item.raw);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_json_is_survived(json in odd_json()) {
        survives(json.to_string().as_bytes())?;
        let wrapped = serde_json::json!({"entry": [{"id": "w", "changes": [{"field": "messages", "value": json}]}]});
        survives(wrapped.to_string().as_bytes())?;
        prop_assert!(!read(wrapped.to_string().as_bytes()).expect("JSON").is_empty());
    }

    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&body)?;
    }

    #[test]
    fn a_fixture_cut_or_bitten_anywhere_is_survived(
        which in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let bodies = FIXTURES.with(Vec::clone);
        let mut body = bodies[which.index(bodies.len())].clone();
        let at = at.index(body.len());
        survives(&body[..at])?;
        body[at] = byte;
        survives(&body)?;
    }
}

thread_local! {
    static FIXTURES: Vec<Vec<u8>> = fixtures().into_values().map(String::into_bytes).collect();
}
