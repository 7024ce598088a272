//! What the host tells of what a contract has no case for: since 0.3 it is `other`, before it is what harms least. Told to one
//! plugin, `guests/examples/witness.rs`, as it is today and as it was built against earlier lines.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::json;
use vestibule::domain::attribute::{AttributeValue, Fields};
use vestibule::domain::inbound::MediaKind;
use vestibule::domain::template::{ButtonShape, HeaderShape, TemplateShape, TemplateStatus};
use vestibule::domain::{
    InboundContent, Occasion, OpenWord, OutboxId, Owner, ReceiptStatus, Timestamp,
};
use vestibule::plugin_host::{
    Effect, Ending, ListedTemplate, OwnershipView, PersonView, PriceNow, Read, ReadSource, Route,
    Said, SearchAsked, TemplateKey, TemplatePage, TemplateView, TurnReport, WindowNow, WindowView,
    inspect,
};
use vestibule_tests::guests;

use crate::guests::stage::{Stage, effects, fault, texts};

/// The witness, as it was when 0.2.2 was the contract: made of this source by the SDK of that commit, nothing else.
const WITNESS_OF_0_2_2: &[u8] = include_bytes!("../../fixtures/components/witness-abi-0.2.2.wasm");

const GRANTS: &[&str] = &["window", "contacts", "conversation", "templates"];

fn other<T>(word: &str) -> OpenWord<T> {
    OpenWord::Other(word.to_owned())
}

/// What only a newer gateway would have written.
fn distance() -> Fields {
    [("way".to_owned(), AttributeValue::Other(json!({"km": 4})))].into()
}

/// A conversation, a person and an account of which newer gateways and Meta have said what nobody here knows.
struct Newer;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Read<T>> + Send + 'a>>;

fn told<T: Send + 'static>(answer: T) -> Answer<'static, T> {
    Box::pin(ready(Ok(answer)))
}

impl ReadSource for Newer {
    fn window(&self) -> Answer<'_, WindowView> {
        told(WindowView {
            window: WindowNow::Open {
                until: Timestamp::from_millis(7),
            },
            price: PriceNow::Service,
        })
    }

    fn person(&self) -> Answer<'_, PersonView> {
        told(PersonView::default())
    }

    fn ownership(&self) -> Answer<'_, OwnershipView> {
        told(OwnershipView {
            owner: Owner::External("helpdesk".to_owned()),
            since: None,
        })
    }

    fn past(&self, _: u32) -> Answer<'_, Vec<Said>> {
        told(vec![Said {
            who: other("campaign"),
            kind: "text".to_owned(),
            text: "Summer sale!".to_owned(),
            at: Timestamp::from_millis(1),
            token: None,
        }])
    }

    fn templates<'a>(&'a self, _: &'a SearchAsked) -> Answer<'a, TemplatePage> {
        told(TemplatePage {
            listed: vec![ListedTemplate {
                key: TemplateKey {
                    name: "sale".to_owned(),
                    language: "en".to_owned(),
                },
                category: other("news"),
                quality: other("blue"),
            }],
            more: false,
        })
    }

    fn template<'a>(&'a self, _: &'a TemplateKey) -> Answer<'a, Option<TemplateView>> {
        told(Some(TemplateView {
            category: other("news"),
            status: TemplateStatus::Approved,
            quality: other("blue"),
            shape: Some(Arc::new(TemplateShape {
                header: HeaderShape::Gif,
                buttons: vec![ButtonShape::VoiceCall, ButtonShape::MultiProduct],
                ..TemplateShape::default()
            })),
        }))
    }
}

async fn stage(component: &[u8]) -> Stage {
    let stage = Stage::of(component, json!({})).await;
    let stage = stage.reading(GRANTS, Arc::new(Newer));
    stage.knowing(|conversation| conversation.attributes = distance())
}

/// The old one and the new one.
async fn both() -> [Stage; 2] {
    [stage(WITNESS_OF_0_2_2).await, stage(guests::WITNESS).await]
}

fn notes(report: &TurnReport) -> Vec<&str> {
    let effects = report.effects.iter().map(|one| &one.effect);
    let notes = effects.filter_map(|effect| match effect {
        Effect::Note { text } => Some(text.as_str()),
        _ => None,
    });
    notes.collect()
}

#[tokio::test]
async fn a_component_of_the_line_before_runs_unchanged_in_all_of_its_hooks() {
    let manifest = inspect(WITNESS_OF_0_2_2).expect("a plugin").manifest;
    assert_eq!(
        (manifest.abi.as_str(), manifest.interfaces.len()),
        ("0.2.2", 6)
    );
    let stage = stage(WITNESS_OF_0_2_2).await;
    let heard = stage.hears("window").await;
    assert_eq!(
        (fault(&heard), heard.calls.len()),
        (None, 3),
        "{:?}",
        heard.calls
    );
    assert_eq!(notes(&heard), ["Kind::Text None"]);
    assert_eq!(texts(&heard), ["State::Open(7)"]);
    let routed = stage.hears("queue billing").await;
    assert_eq!(routed.route, Some(Route::Queue("billing".to_owned())));
    let fields: Fields = [("step".to_owned(), "two".into())].into();
    let event = Occasion::Event {
        id: "1".to_owned(),
        name: "paid".to_owned(),
        fields: fields.clone(),
    };
    let timer = Occasion::Timer {
        plugin: "witness".to_owned(),
        name: "remind".to_owned(),
        set_at: Timestamp::ZERO,
        due_at: Timestamp::ZERO,
        fields,
    };
    for occasion in [event, timer] {
        let report = stage.meets(occasion).await;
        assert_eq!(fault(&report), None, "{:?}", report.calls);
        assert_eq!(texts(&report), [r#"step=Value::Text("two")"#]);
    }
    let receipt = stage.meets(receipt(ReceiptStatus::Read.into())).await;
    assert_eq!(notes(&receipt), ["ReceiptStatus::Read None"]);
}

#[tokio::test]
async fn what_a_contract_has_no_case_for_is_other_or_what_harms_least() {
    let stages = both().await;
    for (asked, old, new) in [
        (
            "attributes",
            r#"way=Value::Text("{\"km\":4}")"#,
            r#"way=Value::Other("{\"km\":4}")"#,
        ),
        (
            "recent",
            "[Speaker::Gateway]",
            r#"[Speaker::Other("campaign")]"#,
        ),
        (
            "owner",
            r#"Owner::Client("helpdesk")"#,
            r#"Owner::Client("helpdesk")"#,
        ),
        (
            "templates",
            "[(Category::Marketing, Quality::Unknown)]",
            r#"[(Category::Other("news"), Quality::Other("blue"))]"#,
        ),
        (
            "template sale",
            r#"Some((Status::Approved, Header::Other("gif"), [Button::Other, Button::OtherRequired]))"#,
            r#"Some((Status::Approved, Header::Other("gif"), [Button::Other("voice_call"), Button::OtherRequired("multi_product")]))"#,
        ),
    ] {
        for (stage, expected) in stages.iter().zip([old, new]) {
            let report = stage.hears(asked).await;
            assert_eq!(texts(&report), [expected], "{asked}");
        }
    }
}

#[tokio::test]
async fn what_was_told_as_other_cannot_be_set() {
    let [old, new] = both().await;
    assert_eq!(texts(&old.hears("copy way").await), ["()"]);
    let refused = r#"refused: Invalid("value: `other` is told and never set")"#;
    let report = new.hears("copy way").await;
    assert_eq!(texts(&report), [refused]);
    assert_eq!(
        effects(&report).len(),
        2,
        "the note of enrichment, and what was said"
    );
}

#[tokio::test]
async fn a_file_of_a_kind_that_nobody_knows_is_a_file_or_another_kind_of_message() {
    let media = |kind: OpenWord<MediaKind>| InboundContent::Media {
        kind,
        media_id: "1180011800".to_owned(),
        mime_type: "image/heic".to_owned(),
        sha256: None,
        caption: None,
        filename: None,
        voice: false,
    };
    let expected = [
        "Kind::Other None",
        r#"Kind::Media Some(MediaKind::Other("live_photo"))"#,
    ];
    for (stage, expected) in both().await.iter().zip(expected) {
        let report = stage.receives(media(other("live_photo"))).await;
        assert_eq!(notes(&report), [expected]);
        let report = stage.receives(media(MediaKind::Image.into())).await;
        assert_eq!(notes(&report), ["Kind::Media Some(MediaKind::Image)"]);
    }
}

fn receipt(status: OpenWord<ReceiptStatus>) -> Occasion {
    Occasion::Receipt {
        send: OutboxId::from_raw(7),
        status,
        error: None,
    }
}

#[tokio::test]
async fn a_receipt_that_a_contract_has_no_case_for_calls_nobody() {
    let [old, new] = both().await;
    let report = old.meets(receipt(other("translated"))).await;
    assert_eq!((report.ending, report.calls.len()), (Ending::Noted, 0));
    let report = new.meets(receipt(other("translated"))).await;
    let told = r#"ReceiptStatus::Other("translated") None"#;
    assert_eq!(notes(&report), [told]);
}
