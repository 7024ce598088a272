//! Any body: both readers agree whether it is JSON, nothing is lost, and what is read can be stored and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule_fuzz::domain::InboundMessage;
use vestibule_fuzz::graph::ItemKind;
use vestibule_fuzz::graph::webhook::{raw_without_personal_data, read, route};

fuzz_target!(|body: &[u8]| {
    let routes = route(body);
    let items = read(body);
    if std::str::from_utf8(body).is_ok() {
        assert_eq!(routes.is_ok(), items.is_ok());
    }
    let Ok(items) = items else { return };
    for item in &items {
        // An item is a piece of the body, or such pieces put together: what is read is no larger than what came, but for
        // characters that were not UTF-8 and are three bytes now.
        assert!(item.raw.len() <= 3 * body.len() + 64);
        raw_without_personal_data(&item.raw);
        match &item.kind {
            ItemKind::Message { message, .. } => {
                let stored = serde_json::to_string(message).expect("JSON");
                let again: InboundMessage = serde_json::from_str(&stored).expect("a message");
                assert_eq!(**message, again);
                assert!(!stored.contains('\0'));
            }
            ItemKind::Account(news) => {
                serde_json::to_string(news).expect("JSON");
                assert!(!news.facts.is_empty());
            }
            _ => {}
        }
    }
});
