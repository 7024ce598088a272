//! The body of `POST /{phone_number_id}/messages` for everything we can send (facts §4).
//!
//! Writes JSON and judges nothing: lengths, counts and the window are policy's. The only thing of ours that travels is
//! the outbox id in `biz_opaque_callback_data`, by which a receipt settles its row (promise 5).

use serde::Serialize;

use crate::domain::outbound::{ListRow, ListSection, ReplyButton, TemplateParameter};
use crate::domain::{OutboundContent, OutboxId, Recipient};

const PRODUCT: &str = "whatsapp";

/// The request's JSON. `reply_to` is the wamid to quote; a reaction and mark-as-read name their message themselves.
pub fn body(
    recipient: &Recipient,
    content: &OutboundContent,
    reply_to: Option<&str>,
    opaque: OutboxId,
) -> String {
    let json = match content {
        OutboundContent::MarkRead { message_id, typing } => {
            serde_json::to_string(&mark_read(message_id, *typing))
        }
        content => serde_json::to_string(&envelope(recipient, content, reply_to, opaque)),
    };
    json.expect("structs of strings always serialise")
}

/// Key order is the docs'. `type` and the object it names always agree: [`payload`] makes both.
#[derive(Serialize)]
struct Envelope<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context<'a>>,
    #[serde(flatten)]
    payload: Payload<'a>,
    biz_opaque_callback_data: OutboxId,
}

#[derive(Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Payload<'a> {
    Text { text: Text<'a> },
    Interactive { interactive: Interactive<'a> },
    Template { template: Template<'a> },
    Reaction { reaction: Reaction<'a> },
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
    preview_url: bool,
}

#[derive(Serialize)]
struct Reaction<'a> {
    message_id: &'a str,
    emoji: &'a str,
}

#[derive(Serialize)]
struct Interactive<'a> {
    r#type: &'static str,
    body: Words<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Words<'a>>,
    action: InteractiveAction<'a>,
}

#[derive(Serialize)]
struct Words<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InteractiveAction<'a> {
    Buttons {
        buttons: Vec<Button<'a>>,
    },
    List {
        button: &'a str,
        sections: Vec<Section<'a>>,
    },
}

#[derive(Serialize)]
struct Button<'a> {
    r#type: &'static str,
    reply: &'a ReplyButton,
}

#[derive(Serialize)]
struct Section<'a> {
    /// Required with more than one section, and refused when empty (facts §4.3).
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'a str,
    rows: &'a [ListRow],
}

#[derive(Serialize)]
struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
    policy: &'static str,
}

#[derive(Serialize)]
struct Component<'a> {
    r#type: &'static str,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
struct Parameter<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_name: Option<&'a str>,
    text: &'a str,
}

#[derive(Serialize)]
struct MarkRead<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<TypingIndicator>,
}

#[derive(Serialize)]
struct TypingIndicator {
    r#type: &'static str,
}

fn envelope<'a>(
    recipient: &'a Recipient,
    content: &'a OutboundContent,
    reply_to: Option<&'a str>,
    opaque: OutboxId,
) -> Envelope<'a> {
    // Without the `+` Meta may take the number for a local one and prepend a country code (facts §4.1).
    let (to, recipient) = match recipient {
        Recipient::Phone(phone) => (Some(format!("+{}", phone.digits())), None),
        Recipient::Bsuid(bsuid) => (None, Some(bsuid.as_str())),
    };
    let quotes = !matches!(content, OutboundContent::Reaction { .. });
    Envelope {
        messaging_product: PRODUCT,
        recipient_type: "individual",
        to,
        recipient,
        context: reply_to
            .filter(|_| quotes)
            .map(|message_id| Context { message_id }),
        payload: payload(content),
        biz_opaque_callback_data: opaque,
    }
}

fn payload(content: &OutboundContent) -> Payload<'_> {
    match content {
        OutboundContent::Text { body, preview_url } => Payload::Text {
            text: Text {
                body,
                preview_url: *preview_url,
            },
        },
        OutboundContent::Buttons {
            body,
            footer,
            buttons,
        } => Payload::Interactive {
            interactive: reply_buttons(body, footer.as_deref(), buttons),
        },
        OutboundContent::List {
            body,
            button,
            sections,
        } => Payload::Interactive {
            interactive: list(body, button, sections),
        },
        OutboundContent::Template {
            name,
            language,
            parameters,
        } => Payload::Template {
            template: template(name, language, parameters),
        },
        OutboundContent::Reaction { message_id, emoji } => Payload::Reaction {
            reaction: Reaction { message_id, emoji },
        },
        OutboundContent::MarkRead { .. } => {
            unreachable!("`body` writes mark-as-read, which has no envelope")
        }
    }
}

fn reply_buttons<'a>(
    body: &'a str,
    footer: Option<&'a str>,
    buttons: &'a [ReplyButton],
) -> Interactive<'a> {
    Interactive {
        r#type: "button",
        body: Words { text: body },
        footer: footer.map(|text| Words { text }),
        action: InteractiveAction::Buttons {
            buttons: buttons
                .iter()
                .map(|reply| Button {
                    r#type: "reply",
                    reply,
                })
                .collect(),
        },
    }
}

fn list<'a>(body: &'a str, button: &'a str, sections: &'a [ListSection]) -> Interactive<'a> {
    let sections = sections
        .iter()
        .map(|section| Section {
            title: &section.title,
            rows: &section.rows,
        })
        .collect();
    Interactive {
        r#type: "list",
        body: Words { text: body },
        footer: None,
        action: InteractiveAction::List { button, sections },
    }
}

fn template<'a>(
    name: &'a str,
    language: &'a str,
    parameters: &'a [TemplateParameter],
) -> Template<'a> {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|parameter| Parameter {
            r#type: "text",
            parameter_name: parameter.name.as_deref(),
            text: &parameter.value,
        })
        .collect();
    // Components without variables may be omitted (facts §4.4).
    let components = match parameters.is_empty() {
        true => Vec::new(),
        false => vec![Component {
            r#type: "body",
            parameters,
        }],
    };
    Template {
        name,
        language: Language {
            code: language,
            policy: "deterministic",
        },
        components,
    }
}

fn mark_read(message_id: &str, typing: bool) -> MarkRead<'_> {
    MarkRead {
        messaging_product: PRODUCT,
        status: "read",
        message_id,
        typing_indicator: typing.then_some(TypingIndicator { r#type: "text" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bsuid, Phone};

    fn sent(content: OutboundContent, reply_to: Option<&str>) -> String {
        let phone = Recipient::Phone(Phone::parse("447700900123").expect("a phone"));
        body(&phone, &content, reply_to, OutboxId::from_raw(42))
    }

    fn named(name: Option<&str>, value: &str) -> TemplateParameter {
        TemplateParameter {
            name: name.map(str::to_owned),
            value: value.to_owned(),
        }
    }

    fn row(id: &str, description: Option<&str>) -> ListRow {
        ListRow {
            id: id.to_owned(),
            title: id.to_uppercase(),
            description: description.map(str::to_owned),
        }
    }

    #[test]
    fn text_goes_to_a_phone_with_its_plus() {
        let text = OutboundContent::Text {
            body: "Open \"till\" 18:00 👍".to_owned(),
            preview_url: false,
        };
        insta::assert_snapshot!(sent(text, None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"text","text":{"body":"Open \"till\" 18:00 👍","preview_url":false},"biz_opaque_callback_data":"out_000000000001a"}"#);
    }

    #[test]
    fn a_bsuid_is_addressed_as_recipient_and_never_as_to() {
        let bsuid = Recipient::Bsuid(Bsuid::parse("BR.77120993817234").expect("a bsuid"));
        let text = OutboundContent::Text {
            body: "oi https://shop.example".to_owned(),
            preview_url: true,
        };
        insta::assert_snapshot!(body(&bsuid, &text, Some("wamid.A1"), OutboxId::from_raw(42)), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","recipient":"BR.77120993817234","context":{"message_id":"wamid.A1"},"type":"text","text":{"body":"oi https://shop.example","preview_url":true},"biz_opaque_callback_data":"out_000000000001a"}"#);
    }

    #[test]
    fn reply_buttons_are_interactive() {
        let reply = |id: &str, title: &str| ReplyButton {
            id: id.to_owned(),
            title: title.to_owned(),
        };
        let buttons = OutboundContent::Buttons {
            body: "Keep the 10:30 slot?".to_owned(),
            footer: Some("Reply STOP to opt out".to_owned()),
            buttons: vec![reply("keep", "Keep"), reply("move", "Move")],
        };
        insta::assert_snapshot!(sent(buttons, Some("wamid.A1")), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","context":{"message_id":"wamid.A1"},"type":"interactive","interactive":{"type":"button","body":{"text":"Keep the 10:30 slot?"},"footer":{"text":"Reply STOP to opt out"},"action":{"buttons":[{"type":"reply","reply":{"id":"keep","title":"Keep"}},{"type":"reply","reply":{"id":"move","title":"Move"}}]}},"biz_opaque_callback_data":"out_000000000001a"}"#);
    }

    #[test]
    fn a_list_leaves_out_what_is_empty() {
        let sections = vec![
            ListSection {
                title: "North".to_owned(),
                rows: vec![row("leeds", Some("Mon-Sat"))],
            },
            ListSection {
                title: String::new(),
                rows: vec![row("dover", None)],
            },
        ];
        let list = OutboundContent::List {
            body: "Pick a branch".to_owned(),
            button: "Show branches".to_owned(),
            sections,
        };
        insta::assert_snapshot!(sent(list, None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"interactive","interactive":{"type":"list","body":{"text":"Pick a branch"},"action":{"button":"Show branches","sections":[{"title":"North","rows":[{"id":"leeds","title":"LEEDS","description":"Mon-Sat"}]},{"rows":[{"id":"dover","title":"DOVER"}]}]}},"biz_opaque_callback_data":"out_000000000001a"}"#);
    }

    #[test]
    fn template_parameters_are_positional_or_named() {
        let template = |parameters| OutboundContent::Template {
            name: "delivery_eta".to_owned(),
            language: "en_GB".to_owned(),
            parameters,
        };
        insta::assert_snapshot!(sent(template(vec![]), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"template","template":{"name":"delivery_eta","language":{"code":"en_GB","policy":"deterministic"}},"biz_opaque_callback_data":"out_000000000001a"}"#);
        insta::assert_snapshot!(sent(template(vec![named(None, "Ines"), named(None, "10:30")]), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"template","template":{"name":"delivery_eta","language":{"code":"en_GB","policy":"deterministic"},"components":[{"type":"body","parameters":[{"type":"text","text":"Ines"},{"type":"text","text":"10:30"}]}]},"biz_opaque_callback_data":"out_000000000001a"}"#);
        insta::assert_snapshot!(sent(template(vec![named(Some("eta"), "10:30")]), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"template","template":{"name":"delivery_eta","language":{"code":"en_GB","policy":"deterministic"},"components":[{"type":"body","parameters":[{"type":"text","parameter_name":"eta","text":"10:30"}]}]},"biz_opaque_callback_data":"out_000000000001a"}"#);
    }

    #[test]
    fn a_reaction_quotes_nothing_and_an_empty_one_removes() {
        let reaction = |emoji: &str| OutboundContent::Reaction {
            message_id: "wamid.A1".to_owned(),
            emoji: emoji.to_owned(),
        };
        insta::assert_snapshot!(sent(reaction("👍"), Some("wamid.A2")), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"reaction","reaction":{"message_id":"wamid.A1","emoji":"👍"},"biz_opaque_callback_data":"out_000000000001a"}"#);
        insta::assert_snapshot!(sent(reaction(""), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"reaction","reaction":{"message_id":"wamid.A1","emoji":""},"biz_opaque_callback_data":"out_000000000001a"}"#);
    }

    #[test]
    fn mark_as_read_carries_no_outbox_id() {
        let read = |typing| OutboundContent::MarkRead {
            message_id: "wamid.A1".to_owned(),
            typing,
        };
        insta::assert_snapshot!(sent(read(false), None), @r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.A1"}"#);
        insta::assert_snapshot!(sent(read(true), None), @r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.A1","typing_indicator":{"type":"text"}}"#);
    }
}
