//! What Meta may send next year, through all of ingest: every fixture with something left out, null or of another shape
//! at every place, a thousand in a post. Nothing gets stuck, and what stands beside it is heard.

use serde_json::{Value, json};
use vestibule_tests::for_each_database;

use super::desk::{Desk, NUMBERS, body, text};
use super::fixtures::fixtures;

/// Of all the bodies, one in so many: all of them are read in `graph/webhook/tests/future.rs`, here they are attached.
const ONE_IN: usize = 5;
const IN_A_POST: usize = 400;

/// Every way to leave out, null or misshape one value of a change.
fn changed(value: &Value, make: &dyn Fn(Value) -> Value, all: &mut Vec<Value>) {
    let shapes = [Value::Null, json!("odd"), json!(7), json!([]), json!({})];
    all.extend(shapes.into_iter().map(make));
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let with = |value: Option<Value>| {
                    let mut fields = fields.clone();
                    match value {
                        Some(value) => fields.insert(key.clone(), value),
                        None => fields.remove(key),
                    };
                    make(fields.into())
                };
                all.push(with(None));
                changed(inner, &|value| with(Some(value)), all);
            }
        }
        Value::Array(values) => {
            for (index, inner) in values.iter().enumerate() {
                let with = |value| {
                    let mut values = values.clone();
                    values[index] = value;
                    make(values.into())
                };
                changed(inner, &with, all);
            }
        }
        Value::String(phone) if phone.starts_with("4477") => {
            all.push(make(json!("GB.44100938277165")));
        }
        _ => {}
    }
}

/// Entries of the shop's number, each of them unlike any other.
fn entries(desk: &Desk) -> Vec<Value> {
    let mut all = Vec::new();
    for (_, text) in fixtures() {
        let text = text
            .replace("770001112223334", NUMBERS[0])
            .replace("990001112223334", "990001");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        for entry in body["entry"].as_array().into_iter().flatten() {
            changed(entry, &|entry| entry, &mut all);
        }
    }
    let today = desk.ago(60).to_string();
    let some = all.into_iter().step_by(ONE_IN).enumerate();
    some.map(|(n, entry)| {
        let text = entry.to_string();
        let text = text.replace("wamid.", &format!("wamid.{n}."));
        serde_json::from_str(&text.replace("1795252", &today[..7])).expect("JSON")
    })
    .collect()
}

#[tokio::test]
async fn odd_bodies_hold_nothing_up_and_hide_nothing_beside_them() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let all = entries(&desk);
        assert!(all.len() > 4_000, "only {} bodies", all.len());
        let mut asked = 0;
        for (n, some) in all.chunks(IN_A_POST).enumerate() {
            let mut post = json!({ "object": "whatsapp_business_account", "entry": some });
            let asks = text(
                &format!("wamid.ASK.{n}"),
                Some("447700900555"),
                None,
                desk.ago(30),
                "are you there?",
            );
            let entry = body(NUMBERS[0], &[asks])["entry"][0].clone();
            let at = (n * 37) % some.len();
            let entries = post["entry"].as_array_mut().expect("entries");
            entries.insert(at, entry);
            assert_eq!(desk.post_by(0, &post).await, 200);
            let heard = desk.attach().await;
            asked += heard
                .iter()
                .filter(|event| event.wamid.starts_with("wamid.ASK"))
                .count();
        }
        assert_eq!(asked, all.chunks(IN_A_POST).len());
        assert_eq!(desk.waiting().await, 0);
    })
    .await;
}
