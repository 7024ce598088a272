//! The reference plugins with about the largest settings that there may be, and the longest messages: a turn of theirs stays
//! within what a plugin may use.

use serde_json::{Value, json};
use vestibule::plugin_host::Limits;
use vestibule::reference_plugins::{CONTACT_ENRICHER, DEPARTMENT_ROUTER, FAQ};

use super::stage::{Stage, fault};

/// Different phrases, two words each, half of them with accents.
fn phrases(from: usize, count: usize) -> Vec<String> {
    let accent = |n: usize| {
        if n.is_multiple_of(2) {
            "frage"
        } else {
            "größe"
        }
    };
    let phrase = |n: usize| format!("{} wort{n}", accent(n));
    (from..from + count).map(phrase).collect()
}

fn faq() -> Value {
    let entry = |n: usize| {
        let keywords = |of: usize| phrases(100 * n + 10 * of, 6);
        json!({
            "id": format!("entry{n}"),
            "keywords": {"en": keywords(0), "de": keywords(1), "fr": keywords(2), "es": keywords(3), "it": keywords(4)},
            "answers": {"en": "x".repeat(400)},
        })
    };
    let group = |n: usize| phrases(50_000 + 20 * n, 15);
    json!({
        "entries": (0..180).map(entry).collect::<Vec<_>>(),
        "synonyms": (0..100).map(group).collect::<Vec<_>>(),
    })
}

fn router() -> Value {
    let rule = |n: usize| json!({"queue": "q", "words": phrases(50 * n, 50), "attributes": {"plan": ["gold"]}});
    json!({"rules": (0..100).map(rule).collect::<Vec<_>>()})
}

fn enricher() -> Value {
    let tag = |n: usize| json!({"tag": format!("t{n}"), "words": phrases(50 * n, 50)});
    json!({
        "tags": (0..50).map(tag).collect::<Vec<_>>(),
        "vip": {"words": phrases(0, 50), "messages": 100},
    })
}

#[tokio::test]
async fn the_largest_settings_and_messages_fit_into_a_turn() {
    let long = [
        "größe frage ".repeat(340),
        "the wort1 ist eine frage ".repeat(160),
        "営業時間は".repeat(800),
    ];
    for (component, settings) in [
        (FAQ, faq()),
        (DEPARTMENT_ROUTER, router()),
        (CONTACT_ENRICHER, enricher()),
    ] {
        let bytes = settings.to_string().len();
        assert!(bytes < 256 << 10, "{bytes}");
        let stage = Stage::of(component, settings).await;
        for text in &long {
            let report = stage.hears(text).await;
            let (fuel, most) = (report.calls[0].fuel, Limits::default().fuel);
            assert_eq!(fault(&report), None);
            // Three quarters today.
            assert!(fuel < most / 5 * 4, "{bytes} bytes: {fuel} of {most}");
        }
    }
}
