//! Guests that read of their turn what they were not given, too often or too much. What each read answers otherwise is in
//! `turns/reads.rs`, over the database.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use vestibule::domain::Timestamp;
use vestibule::plugin_host::{
    FaultKind, PersonView, PriceNow, Read, ReadSource, Said, Speaker, TurnReport, WindowNow,
    WindowView,
};
use vestibule_tests::guests;

use super::stage::{Stage, effects, fault, texts};

const ALL: &[&str] = &["window", "contacts", "conversation"];

/// Answers everything, and counts how often it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

type Answer<'a, T> = Pin<Box<dyn Future<Output = Read<T>> + Send + 'a>>;

impl Counting {
    fn told<T: Send + 'static>(&self, answer: T) -> Answer<'static, T> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(ready(Ok(answer)))
    }
}

impl ReadSource for Counting {
    fn window(&self) -> Answer<'_, WindowView> {
        self.told(WindowView {
            window: WindowNow::Open {
                until: Timestamp::from_millis(7),
            },
            price: PriceNow::Service,
        })
    }

    fn person(&self) -> Answer<'_, PersonView> {
        self.told(PersonView::default())
    }

    fn past(&self, most: u32) -> Answer<'_, Vec<Said>> {
        let said = Said {
            who: Speaker::Person.into(),
            kind: "text".to_owned(),
            text: "x".repeat(600),
            at: Timestamp::from_millis(1),
            token: None,
        };
        self.told(vec![said; most as usize])
    }
}

async fn hears(grants: &[&str], words: &str) -> (TurnReport, usize) {
    let source = Arc::new(Counting::default());
    let stage = Stage::of(guests::READER, json!({})).await;
    let report = stage.reading(grants, source.clone()).hears(words).await;
    (report, source.0.load(Ordering::Relaxed))
}

#[tokio::test]
async fn reads_without_their_grant_are_denied_and_nobody_is_asked() {
    let (report, asked) = hears(&["kv"], "all").await;
    assert_eq!(texts(&report), ["denied,denied,denied,denied"]);
    assert_eq!(asked, 0);
    for (grant, expected) in [
        ("window", "window,denied,denied,denied"),
        ("contacts", "denied,contacts,denied,denied"),
    ] {
        let (report, asked) = hears(&[grant], "all").await;
        assert_eq!(texts(&report), [expected], "{grant}");
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn floods_of_reads_ask_once_and_end_by_the_limits_of_host_calls() {
    for (words, kind) in [
        ("flood-window", FaultKind::HostCalls),
        ("flood-history", FaultKind::OutputBytes),
    ] {
        let (report, asked) = hears(ALL, words).await;
        assert_eq!(fault(&report), Some(kind), "{words}: {:?}", report.calls);
        assert_eq!((asked, effects(&report).len()), (1, 0), "{words}");
    }
    // Handles that are never dropped run out long before calls do.
    let (report, asked) = hears(ALL, "flood-contacts").await;
    assert!(fault(&report).is_some(), "{:?}", report.calls);
    assert!(report.calls[0].host_calls < 1_100, "{:?}", report.calls);
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_history_beyond_what_may_be_asked_for_is_refused() {
    let (report, asked) = hears(ALL, "huge").await;
    let wrong = "not asked as it should be: most: 1 to 50";
    assert_eq!(texts(&report), [[wrong, wrong, wrong].join(",")]);
    assert_eq!(asked, 0);
}
