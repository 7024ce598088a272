//! Guests that ask of templates without the grant, too often or for what cannot be. What is answered otherwise is in
//! `turns/templates.rs`, over the database.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use vestibule::domain::template::{TemplateCategory, TemplateQuality, TemplateStatus};
use vestibule::plugin_host::{
    FaultKind, LanguageAsked, ListedTemplate, Read, ReadSource, SearchAsked, TemplateKey,
    TemplatePage, TemplateView, TurnReport,
};
use vestibule_tests::guests;

use super::stage::{Stage, effects, fault, texts};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Read<T>> + Send + 'a>>;

/// An account that has one template, `sale` in English, and counts what it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn told<T: Send + 'static>(&self, answer: T) -> Answer<'static, T> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(ready(Ok(answer)))
    }
}

fn sale() -> TemplateKey {
    TemplateKey {
        name: "sale".to_owned(),
        language: "en".to_owned(),
    }
}

impl ReadSource for Counting {
    fn templates<'a>(&'a self, _: &'a SearchAsked) -> Answer<'a, TemplatePage> {
        let listed = ListedTemplate {
            key: sale(),
            category: TemplateCategory::Marketing.into(),
            quality: TemplateQuality::High.into(),
        };
        self.told(TemplatePage {
            listed: vec![listed],
            more: false,
        })
    }

    fn template<'a>(&'a self, key: &'a TemplateKey) -> Answer<'a, Option<TemplateView>> {
        let view = TemplateView {
            category: TemplateCategory::Marketing.into(),
            status: TemplateStatus::Paused,
            quality: TemplateQuality::Low.into(),
            shape: None,
        };
        self.told((*key == sale()).then_some(view))
    }

    fn template_language<'a>(&'a self, _: &'a LanguageAsked) -> Answer<'a, Option<String>> {
        self.told(Some("en".to_owned()))
    }
}

async fn hears(grants: &[&str], words: &str) -> (TurnReport, usize) {
    let source = Arc::new(Counting::default());
    let stage = Stage::of(guests::CATALOGUE, json!({})).await;
    let report = stage.reading(grants, source.clone()).hears(words).await;
    (report, source.0.load(Ordering::Relaxed))
}

#[tokio::test]
async fn templates_without_their_grant_are_denied_and_nobody_is_asked() {
    for words in ["search s", "find sale en", "language sale auto"] {
        let (report, asked) = hears(&["window", "contacts", "conversation"], words).await;
        assert_eq!((texts(&report), asked), (vec!["denied".to_owned()], 0));
        let (report, asked) = hears(&["templates"], words).await;
        assert_ne!(texts(&report), ["denied"]);
        assert_eq!(asked, 1, "{words}");
    }
}

#[tokio::test]
async fn floods_of_questions_about_templates_ask_once_and_end_by_the_limit_of_host_calls() {
    for words in ["flood", "flood-handles"] {
        let (report, asked) = hears(&["templates"], words).await;
        let kind = Some(FaultKind::HostCalls);
        assert_eq!(fault(&report), kind, "{words}: {:?}", report.calls);
        assert_eq!((asked, effects(&report).len()), (1, 0), "{words}");
    }
}

#[tokio::test]
async fn questions_about_templates_to_the_question() {
    let (report, asked) = hears(&["templates"], "count").await;
    let quota = "asked too often: at most 32 questions about templates a turn";
    assert_eq!(texts(&report), [format!("32; {quota}")]);
    assert_eq!(asked, 32);
}

#[tokio::test]
async fn absurd_names_are_nobodys_or_are_not_even_asked_for() {
    let (report, asked) = hears(&["templates"], "absurd").await;
    let wrong = |what| format!("not asked as it should be: {what}");
    let name = wrong("name: 1 to 512 characters");
    let most = wrong("most: 1 to 100");
    let found = [&name, &name, &name, "false", "false", "false", "false"].join("|");
    let pages = [most.as_str(); 3].join("|");
    let wish = wrong("language: 1 to 256 characters");
    assert_eq!(texts(&report), [format!("{found} / {pages} / {wish}")]);
    assert_eq!(asked, 4);
}
