//! Canned refusals of templates: their states, their shapes, and what fills them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Case, case, with_content};
use crate::domain::outbound::TemplateParameter;
use crate::domain::template::{
    ButtonShape, CardShape, HeaderShape, TemplateCategory, TemplateShape, TemplateStatus,
};
use crate::domain::{Draft, OutboundContent};
use crate::policy::fixture::{known, now, template};
use crate::policy::{KnownTemplate, Reason, TemplateFact};

pub(super) fn templates() -> Vec<Case> {
    let of = |parameters: Value| json!({"type": "template", "name": "order_update", "language": "en", "parameters": parameters});
    let two = || json!([{"value": "a"}, {"value": "b"}]);
    let content = |value: Value| serde_json::from_value::<OutboundContent>(value).expect("content");
    let counted = Draft {
        content: content(of(two())),
        ..template("t", "en")
    };
    let mut offer = of(json!([]));
    offer["limited_time_offer"] = json!({"expires_at": now().millis() - 1000});
    let mut mm = of(json!([]));
    mm["marketing_messages"] = json!({});
    vec![
        case(
            "not approved",
            Reason::TemplateNotApproved,
            template("order_update", "en"),
            |facts, _| {
                facts.template = TemplateFact::NoSuch;
            },
        ),
        case(
            "three parameters wanted",
            Reason::TemplateParameterCount,
            counted,
            |facts, _| {
                facts.template = known(TemplateStatus::Approved, TemplateCategory::Utility, 3);
            },
        ),
        with_content(
            "a blank value",
            Reason::TemplateParameterEmpty,
            of(json!([{"value": "  "}])),
        ),
        with_content(
            "a name and none",
            Reason::TemplateParameterMix,
            of(json!([{"name": "who", "value": "Ada"}, {"value": "b"}])),
        ),
        with_content(
            "two lines",
            Reason::TemplateParameterText,
            of(json!([{"value": "a\nb"}])),
        ),
        with_content(
            "a novel",
            Reason::TemplateParameterTooLong,
            of(json!([{"value": "x".repeat(40_000)}])),
        ),
        with_content("yesterday's offer", Reason::OfferOver, offer),
        with_content("news by the advertising endpoint", Reason::NotMarketing, mm),
    ]
}

/// What Meta told of a template, and what a send lacks of it.
pub(super) fn states_and_shapes() -> Vec<Case> {
    use TemplateStatus as S;
    let news = || template("order_update", "en");
    let states = [
        ("in review", Reason::TemplateInReview, S::Pending),
        ("rejected", Reason::TemplateRejected, S::Rejected),
        ("paused", Reason::TemplatePaused, S::Paused),
        ("disabled", Reason::TemplateDisabled, S::Disabled),
        ("locked", Reason::TemplateLocked, S::Locked),
        ("deleted", Reason::TemplateDeleted, S::Deleted),
    ];
    let states = states.map(|(name, reason, status)| {
        case(name, reason, news(), move |facts, _| {
            facts.template = known(status, TemplateCategory::Utility, 0);
        })
    });
    let shape = TemplateShape::default;
    let shapes = [
        (
            "a named variable",
            Reason::TemplateParameterName,
            TemplateShape {
                body: vec!["who".to_owned()],
                ..shape()
            },
        ),
        (
            "a picture wanted",
            Reason::TemplateHeader,
            TemplateShape {
                header: HeaderShape::Image,
                ..shape()
            },
        ),
        (
            "the end of an address wanted",
            Reason::TemplateButton,
            TemplateShape {
                buttons: vec![ButtonShape::UrlWithSuffix],
                ..shape()
            },
        ),
        (
            "a card wanted",
            Reason::TemplateCards,
            TemplateShape {
                cards: vec![CardShape::default()],
                ..shape()
            },
        ),
        (
            "an offer wanted",
            Reason::TemplateOffer,
            TemplateShape {
                offer: true,
                ..shape()
            },
        ),
    ];
    let shapes = shapes.map(|(name, reason, shape)| {
        let given = usize::from(!shape.body.is_empty());
        let mut draft = news();
        if let OutboundContent::Template(content) = &mut draft.content {
            content.parameters = vec![TemplateParameter::default(); given];
            content
                .parameters
                .iter_mut()
                .for_each(|one| one.value = "Ada".to_owned());
        }
        case(name, reason, draft, move |facts, _| {
            facts.template = TemplateFact::Known(KnownTemplate {
                status: S::Approved,
                category: TemplateCategory::Utility,
                shape: Some(Arc::new(shape.clone())),
            });
        })
    });
    let languages = template("order_update", "de,fr");
    let language = case(
        "in no language that was asked for",
        Reason::TemplateLanguage,
        languages,
        |_, _| {},
    );
    states.into_iter().chain(shapes).chain([language]).collect()
}
