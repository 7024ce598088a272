//! What turns read: asked once, the same for all plugins, kept for the journal as far as it was handed out.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;

use super::*;
use crate::plugin_host::kv::HostAnswers;
use crate::plugin_host::limits::{HISTORY_BYTES, JOURNAL_BYTES};

/// Everything it says is new.
#[derive(Default)]
struct Restless(AtomicU32);

impl Restless {
    fn next(&self) -> Timestamp {
        Timestamp::from_millis(i64::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

fn said(at: Timestamp) -> Said {
    Said {
        who: Speaker::Person,
        kind: "text".to_owned(),
        text: "hello".to_owned(),
        at,
        token: None,
    }
}

impl ReadSource for Restless {
    fn window(&self) -> BoxFuture<'_, Read<WindowView>> {
        let until = self.next();
        let view = WindowView {
            window: WindowNow::Open { until },
            price: PriceNow::FreeEntryPoint { until },
        };
        std::future::ready(Ok(view)).boxed()
    }

    fn past(&self, most: u32) -> BoxFuture<'_, Read<Vec<Said>>> {
        let at = self.next();
        // There are no more than five.
        let all = vec![said(at); most.min(5) as usize];
        std::future::ready(Ok(all)).boxed()
    }
}

fn reads() -> TurnReads {
    TurnReads::new(Arc::new(Restless::default()), Handle::current())
}

#[tokio::test]
async fn what_was_answered_once_stands_still() {
    let reads = reads();
    let first = reads.window().await.expect("open");
    assert_eq!(reads.window().await.expect("open"), first);
    assert_eq!(reads.past(2).await.expect("two").len(), 2);
    assert_eq!(reads.past(1).await.expect("one").len(), 1);
    let answers = reads.answers();
    assert_eq!(answers.window, Some(Ok(first)));
    assert_eq!(answers.past.as_ref().map(|past| past.most), Some(2));
    assert_eq!(answers.person, None, "nobody asked");
}

#[tokio::test]
async fn a_failure_stays_one() {
    let reads = TurnReads::new(Arc::new(NoReads), Handle::current());
    for most in [3, 1, 50] {
        assert!(matches!(
            reads.past(most).await,
            Err(ReadRefused::Unavailable(_))
        ));
    }
    assert_eq!(reads.answers().past.map(|past| past.most), Some(3));
}

#[tokio::test]
async fn the_journal_answers_as_far_as_it_reaches() {
    let reads = reads();
    reads.past(3).await.expect("three");
    let past = reads.answers().past.expect("kept");
    assert_eq!(
        past.of(3).map(|said| said.map(|all| all.len())),
        Some(Ok(3))
    );
    assert_eq!(past.of(4), None, "nobody knows what came before");
    // Asked for more than there is, it is all that there is.
    reads.past(9).await.expect("all");
    let past = reads.answers().past.expect("kept");
    assert_eq!(
        past.of(50).map(|said| said.map(|all| all.len())),
        Some(Ok(5))
    );
}

#[test]
fn a_journal_without_room_for_what_was_read_says_so() {
    let reads = |text: usize| ReadAnswers {
        past: Some(PastAnswer {
            most: 1,
            said: Ok(vec![Said {
                text: "x".repeat(text),
                ..said(Timestamp::from_millis(1))
            }]),
        }),
        ..ReadAnswers::default()
    };
    let mut answers = HostAnswers::default();
    answers.read(reads(HISTORY_BYTES));
    assert!(!answers.truncated && !answers.reads.is_empty());
    let mut full = HostAnswers::default();
    full.read(reads(JOURNAL_BYTES));
    assert!(full.truncated && full.reads.is_empty());
}

#[test]
fn answers_read_back_as_they_were_written_and_nothing_takes_no_room() {
    let answers = ReadAnswers {
        window: Some(Ok(WindowView {
            window: WindowNow::Closed,
            price: PriceNow::ByCategory,
        })),
        person: Some(Ok(PersonView {
            external_key: Some("crm-7".to_owned()),
            refused: vec![(DraftClass::Marketing, "opted_out_marketing".to_owned())],
        })),
        ownership: Some(Ok(OwnershipView {
            owner: Owner::Queue("billing".to_owned()),
            since: Some(Timestamp::from_millis(5)),
        })),
        past: Some(PastAnswer {
            most: 2,
            said: Ok(vec![said(Timestamp::from_millis(4))]),
        }),
    };
    let json = serde_json::to_string(&answers).expect("JSON");
    let read: ReadAnswers = serde_json::from_str(&json).expect("it reads");
    assert_eq!(read, answers);
    let nothing = serde_json::to_string(&ReadAnswers::default()).expect("JSON");
    assert_eq!(nothing, "{}");
}
