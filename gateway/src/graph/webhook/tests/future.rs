//! What Meta may send next year: every fixture with a field added, left out, null or of another shape at every place,
//! with words and types that nobody has seen, and with a BSUID where a phone stood. Nothing panics, nothing is lost, and
//! what stands beside it in the same body is read as ever.

use serde_json::{Value, json};

use super::{fixtures, items};
use crate::graph::webhook::{ItemKind, raw_without_personal_data, read, route};

/// A place in a body: keys and indices from its root.
type Path = Vec<Step>;

#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

fn at<'a>(body: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(body, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    })
}

/// Every value of a body, the root first.
fn places(value: &Value, path: &Path, all: &mut Vec<Path>) {
    all.push(path.clone());
    let below = |step| [path.as_slice(), &[step]].concat();
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                places(value, &below(Step::Key(key.clone())), all);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                places(value, &below(Step::Index(index)), all);
            }
        }
        _ => {}
    }
}

/// All that can become of one place, each with what it is called.
fn changed(value: &Value) -> Vec<(&'static str, Option<Value>)> {
    let mut all = vec![("left out", None), ("null", Some(Value::Null))];
    let shapes = [json!("odd"), json!(-7), json!([]), json!({}), json!(true)];
    let other = |shape: &Value| std::mem::discriminant(shape) != std::mem::discriminant(value);
    all.extend(
        shapes
            .into_iter()
            .filter(other)
            .map(|shape| ("of another shape", Some(shape))),
    );
    match value {
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("next_year".into(), json!({ "deep": ["news"] }));
            all.push(("with a new field", Some(more.into())));
        }
        Value::Array(values) => {
            let more = [values.as_slice(), &[json!("odd")]].concat();
            all.push(("with an odd element", Some(more.into())));
        }
        Value::String(text) => {
            all.push(("a new word", Some(json!("word_of_next_year"))));
            if text.starts_with("4477") {
                all.push(("a BSUID", Some(json!("GB.44100938277165"))));
            }
        }
        _ => {}
    }
    all
}

fn change(body: &Value, path: &[Step], to: Option<Value>) -> Option<Value> {
    let mut body = body.clone();
    let Some(value) = to else {
        let (last, parent) = path.split_last()?;
        match (last, at(&mut body, parent)) {
            (Step::Key(key), Value::Object(fields)) => drop(fields.remove(key)),
            (Step::Index(index), Value::Array(values)) => drop(values.remove(*index)),
            _ => return None,
        }
        return Some(body);
    };
    *at(&mut body, path) = value;
    Some(body)
}

/// What must be found again in some item's raw text: every word of every change but its envelope.
fn words(body: &Value, found: &mut Vec<String>) {
    let changes = body["entry"].as_array().into_iter().flatten();
    let changes = changes.flat_map(|entry| entry["changes"].as_array().into_iter().flatten());
    for change in changes {
        match &change["value"] {
            Value::Object(fields) => {
                let said =
                    |key: &str| !["messaging_product", "metadata", "contacts"].contains(&key);
                for (_, value) in fields.iter().filter(|(key, _)| said(key)) {
                    leaves(value, found);
                }
            }
            value => leaves(value, found),
        }
    }
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| key.as_str() != "contacts")
            .for_each(|(_, value)| leaves(value, found)),
        Value::Array(values) => values.iter().for_each(|value| leaves(value, found)),
        Value::String(text) => found.push(json!(text).to_string()),
        _ => {}
    }
}

const SENTINEL: &str = r#"{"id":"s","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"s"},
    "messages":[{"from":"447700900555","id":"wamid.SENTINEL","timestamp":"1795252000","type":"text","text":{"body":"here"}}]}}]}"#;

fn sentinel_is_read(what: &str, body: &str) {
    let found = items(body);
    let last = found.last().unwrap_or_else(|| panic!("{what}: nothing"));
    let ItemKind::Message { wamid, message, .. } = &last.kind else {
        panic!("{what}: the last item is no message: {body}");
    };
    assert_eq!(
        (wamid.as_str(), message.content.words()),
        ("wamid.SENTINEL", "here"),
        "{what}"
    );
    let routes = route(body.as_bytes()).expect("JSON");
    assert!(
        routes.contains(&crate::graph::Route::Number("s".into())),
        "{what}: {routes:?}"
    );
}

#[test]
fn whatever_meta_changes_nothing_panics_and_nothing_is_lost() {
    let sentinel: Value = serde_json::from_str(SENTINEL).expect("JSON");
    let mut bodies = 0;
    for (name, text) in fixtures() {
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let mut paths = Vec::new();
        places(&body, &Vec::new(), &mut paths);
        for path in &paths {
            let value = at(&mut body.clone(), path).clone();
            for (how, to) in changed(&value) {
                let Some(mut body) = change(&body, path, to) else {
                    continue;
                };
                bodies += 1;
                let what = format!("{name}, {path:?} {how}");
                if let Some(entries) = body.get_mut("entry").and_then(Value::as_array_mut) {
                    entries.push(sentinel.clone());
                    sentinel_is_read(&what, &body.to_string());
                }
                let text = body.to_string();
                let found = read(text.as_bytes()).expect("JSON");
                assert!(!found.is_empty(), "{what}: nothing is left of it");
                assert!(route(text.as_bytes()).is_ok(), "{what}");
                for item in &found {
                    raw_without_personal_data(&item.raw);
                }
                let kept: String = found.iter().map(|item| item.raw.as_str()).collect();
                let mut said = Vec::new();
                words(&body, &mut said);
                for word in said {
                    assert!(kept.contains(&word), "{what}: {word} is lost: {text}");
                }
            }
        }
    }
    assert!(bodies > 20_000, "only {bodies} bodies were tried");
}

#[test]
fn nothing_that_is_read_can_not_be_stored_and_read_again() {
    for (name, text) in fixtures() {
        for item in items(&text) {
            if let ItemKind::Message { message, .. } = &item.kind {
                let stored = serde_json::to_string(message).expect("JSON");
                let read = serde_json::from_str(&stored).expect("the same message");
                assert_eq!(**message, read, "{name}");
            }
        }
    }
}

/// Nested edits, bare numbers that no float holds, and the deepest JSON that fits into a body.
#[test]
fn hostile_depth_and_numbers_are_survived() {
    let message = |element: String| {
        format!(
            r#"{{"entry":[{{"id":"w","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"p"}},"messages":[{element}]}}}}]}}]}}"#
        )
    };
    let open = r#""type":"edit","edit":{"original_message_id":"x","message":{"#;
    let edits = format!(
        r#"{{"id":"wamid.E",{}"type":"text"{}}}"#,
        open.repeat(20_000),
        "}".repeat(40_000)
    );
    for element in [
        edits,
        r#"{"id":"wamid.L","from":"447700900123","type":"location","location":{"latitude":1e999,"longitude":-1e-999}}"#.to_owned(),
        r#"{"id":"wamid.N","timestamp":"99999999999999999999","type":"text","text":{"body":"x"}}"#.to_owned(),
        r#"{"id":"wamid.M","timestamp":"-1","type":"text","text":{"body":"x"}}"#.to_owned(),
        r#"{"id":"wamid.T","timestamp":9223372036854775807,"type":"text","text":{"body":"x"}}"#.to_owned(),
    ] {
        let body = message(element);
        for item in read(body.as_bytes()).expect("JSON") {
            if let ItemKind::Message { message, .. } = &item.kind {
                let stored = serde_json::to_string(message).expect("JSON");
                serde_json::from_str::<crate::domain::InboundMessage>(&stored).expect("a message");
            }
        }
    }
}

/// Bodies of the largest size that is taken, made to cost as much as they can.
fn expensive_bodies() -> Vec<(&'static str, String)> {
    const SIZE: usize = 4 << 20;
    let fill = |head: &str, piece: &str, tail: &str| {
        let count = (SIZE - head.len() - tail.len()) / (piece.len() + 1);
        format!("{head}{}{tail}", vec![piece; count].join(","))
    };
    let value = r#"{"entry":[{"id":"w","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"p"},"#;
    let list = |name: &str| format!("{value}\"{name}\":[");
    let people = list("contacts") + &vec![r#"{"wa_id":"12345"}"#; 100_000].join(",");
    vec![
        ("entries that are none", fill(r#"{"entry":["#, "0", "]}")),
        (
            "changes that are none",
            fill(r#"{"entry":[{"changes":["#, "{}", "]}]}"),
        ),
        ("empty messages", fill(&list("messages"), "{}", "]}}]}]}")),
        (
            "objects in one element",
            fill(&list("groups"), r#"{"a":{}}"#, "]}}]}]}"),
        ),
        (
            "one element",
            fill(&(list("groups") + "["), r#"{"a":0}"#, "]]}}]}]}"),
        ),
        ("fields", fill(value, r#""a":0"#, "}}]}]}")),
        (
            "messages and people",
            fill(
                &(people + r#"],"messages":["#),
                r#"{"id":"1","from":"99999"}"#,
                "]}}]}]}",
            ),
        ),
    ]
}

#[test]
fn the_largest_body_costs_a_few_times_its_size() {
    for (what, body) in expensive_bodies() {
        assert!(route(body.as_bytes()).is_ok(), "{what}");
        let items = read(body.as_bytes()).expect("JSON");
        assert!(
            (1..=50_001).contains(&items.len()),
            "{what}: {}",
            items.len()
        );
        let bytes: usize = items
            .iter()
            .map(|item| size_of_val(item) + item.raw.len() + item.key.len() + item.field.len())
            .sum();
        assert!(bytes < 8 * body.len(), "{what}: {bytes} bytes");
        for item in items.iter().take(1_000) {
            raw_without_personal_data(&item.raw);
        }
    }
}
