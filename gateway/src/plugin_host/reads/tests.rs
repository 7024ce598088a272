//! What turns read: asked once, the same for all plugins, kept for the journal as far as it was handed out.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;

use super::*;
use crate::domain::template::{
    ButtonShape, CardShape, HeaderShape, TemplateCategory, TemplateQuality, TemplateShape,
    TemplateStatus,
};
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
        who: Speaker::Person.into(),
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

    fn template<'a>(&'a self, key: &'a TemplateKey) -> BoxFuture<'a, Read<Option<TemplateView>>> {
        let nth = self.next().millis();
        let view = (key.name == "sale").then(|| TemplateView {
            shape: Some(Arc::new(TemplateShape {
                body: vec![nth.to_string()],
                ..TemplateShape::default()
            })),
            ..view()
        });
        std::future::ready(Ok(view)).boxed()
    }

    fn past(&self, most: u32) -> BoxFuture<'_, Read<Vec<Said>>> {
        let at = self.next();
        // There are no more than five.
        let all = vec![said(at); most.min(5) as usize];
        std::future::ready(Ok(all)).boxed()
    }
}

fn key(name: &str) -> TemplateKey {
    TemplateKey {
        name: name.to_owned(),
        language: "en".to_owned(),
    }
}

fn view() -> TemplateView {
    TemplateView {
        category: TemplateCategory::Utility.into(),
        status: TemplateStatus::Approved,
        quality: TemplateQuality::High.into(),
        shape: None,
    }
}

/// One of everything.
fn template_answers() -> TemplateAnswers {
    let search = SearchAsked {
        begins_with: "s".to_owned(),
        category: Some(TemplateCategory::Utility.into()),
        language: Some("en".to_owned()),
        after: Some(key("a")),
        most: 3,
    };
    let page = TemplatePage {
        listed: vec![ListedTemplate {
            key: key("sale"),
            category: TemplateCategory::Utility.into(),
            quality: TemplateQuality::Low.into(),
        }],
        more: true,
    };
    let shape = TemplateShape {
        header: HeaderShape::Text("1".to_owned()),
        body: vec!["1".to_owned(), "2".to_owned()],
        buttons: vec![ButtonShape::UrlWithSuffix],
        cards: vec![CardShape {
            header: HeaderShape::Image,
            ..CardShape::default()
        }],
        offer: true,
    };
    let found = TemplateView {
        shape: Some(Arc::new(shape)),
        ..view()
    };
    let language = LanguageAsked {
        name: "sale".to_owned(),
        wish: "auto".to_owned(),
        person: Some("pt".to_owned()),
    };
    TemplateAnswers {
        searches: vec![(search, Ok(page))],
        found: vec![(key("sale"), Ok(Some(found))), (key("none"), Ok(None))],
        languages: vec![(language, Err(ReadUnavailable("away".to_owned())))],
    }
}

fn reads() -> TurnReads {
    TurnReads::new(Arc::new(Restless::default()), Handle::current().into())
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
async fn each_question_about_templates_is_asked_once_and_kept() {
    let reads = reads();
    let first = reads.find(key("sale")).await.expect("told");
    assert!(first.is_some());
    assert_eq!(reads.find(key("none")).await.expect("told"), None);
    assert_eq!(reads.find(key("sale")).await.expect("told"), first);
    let told = reads.answers().templates;
    assert_eq!(told.find(&key("sale")), Some(Ok(first)));
    assert_eq!(told.find(&key("none")), Some(Ok(None)));
    assert_eq!(told.find(&key("never")), None, "nobody asked");
    assert_eq!(told.found.len(), 2);
}

#[tokio::test]
async fn names_beyond_their_length_are_refused_and_not_asked_for() {
    let reads = reads();
    for name in [String::new(), "é".repeat(513)] {
        let refused = reads.find(key(&name)).await;
        assert!(
            matches!(refused, Err(ReadRefused::Invalid(_))),
            "{refused:?}"
        );
    }
    assert!(reads.find(key(&"é".repeat(512))).await.is_ok());
    assert_eq!(reads.answers().templates.found.len(), 1);
}

#[tokio::test]
async fn a_failure_stays_one() {
    let reads = TurnReads::new(Arc::new(NoReads), Handle::current().into());
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
    assert!(answers.reads.bytes() > HISTORY_BYTES);
    let names = TemplateAnswers {
        found: vec![(key(&"x".repeat(JOURNAL_BYTES)), Ok(None))],
        ..TemplateAnswers::default()
    };
    let mut full = HostAnswers::default();
    full.read(ReadAnswers {
        templates: names,
        ..ReadAnswers::default()
    });
    assert!(full.truncated, "questions count too");
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
        templates: template_answers(),
    };
    let json = serde_json::to_string(&answers).expect("JSON");
    let read: ReadAnswers = serde_json::from_str(&json).expect("it reads");
    assert_eq!(read, answers);
    let nothing = serde_json::to_string(&ReadAnswers::default()).expect("JSON");
    assert_eq!(nothing, "{}");
}
