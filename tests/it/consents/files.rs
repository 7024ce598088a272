//! A person's whole file: records and messages, part by part.

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::consent::file::{Format, Place, part};
use vestibule_tests::for_each_database;

use super::{contact, shop};
use crate::ingest::desk::{Desk, text};

const PHONE: &str = "447700900123";
/// More than one part holds.
const MESSAGES: u64 = 450;

#[tokio::test]
async fn a_file_has_every_message_and_no_part_of_it_holds_them_all() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let said: Vec<Value> = (0..MESSAGES)
            .map(|n| {
                let (wamid, at) = (format!("wamid.{n}"), desk.ago(MESSAGES - n + 60));
                text(&wamid, Some(PHONE), None, at, &format!("line {n}"))
            })
            .collect();
        desk.hear(&said).await;
        let whose = (shop(&database).await, contact(&database).await);
        for format in [Format::Json, Format::Html] {
            let (mut file, mut place, mut longest) = (String::new(), Some(Place::Head), 0);
            while let Some(at) = place {
                let made = part(&desk.setup, whose, format, at).await;
                let (text, next) = made.expect("a part");
                longest = longest.max(text.matches("\"line ").count());
                (file, place) = (file + &text, next);
            }
            assert!(longest <= 200, "{longest} messages in one part");
            match format {
                Format::Html => assert_eq!(file.matches("&quot;line ").count(), said.len()),
                Format::Json => {
                    let file: Value = serde_json::from_str(&file).expect("JSON");
                    assert_eq!(file["contact"]["known_by"][0]["value"], PHONE);
                    let messages = file["messages"].as_array().expect("messages");
                    let ids: BTreeSet<&str> = messages
                        .iter()
                        .filter_map(|one| one["wamid"].as_str())
                        .collect();
                    assert_eq!((messages.len(), ids.len()), (said.len(), said.len()));
                    let newest = format!("wamid.{}", MESSAGES - 1);
                    assert_eq!(messages[0]["wamid"], newest.as_str());
                    assert_eq!(messages[0]["direction"], "in");
                }
            }
        }
    })
    .await;
}
