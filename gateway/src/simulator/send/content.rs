//! The content of a send: required parts, types, lengths and counts (`whatsapp-cloud-api.md` §4.2, §4.3).

use std::borrow::Cow;

use serde_json::Value;

use super::super::chat::Choice;
use super::super::error::GraphError;
use super::super::identity::chat_key;
use super::super::template::{TemplateCategory, missing_template};
use super::super::wamid;
use super::super::world::World;
use super::medium::MediaKind;
use super::{Edge, interactive, plain};

/// A send that is well-formed.
pub(super) struct Content {
    pub kind: String,
    /// What the customer reads.
    pub text: String,
    pub choices: Vec<Choice>,
    /// A template as the phone shows it.
    pub shown: Value,
    /// The template's category; `None`: free-form, which needs an open window.
    pub template: Option<TemplateCategory>,
    /// Pacing holds the template: its id.
    pub paced: Option<u64>,
    pub edge: Edge,
}

impl Content {
    /// As the `pricing` object spells it.
    pub fn category(&self) -> Cow<'static, str> {
        let category = self
            .template
            .map_or("service", TemplateCategory::in_pricing);
        Cow::Borrowed(match (category, self.edge) {
            ("marketing", Edge::Marketing) => "marketing_lite",
            (category, _) => category,
        })
    }
}

/// Whose send it is: what can be looked up while reading it.
pub(super) struct Scope<'a> {
    pub world: &'a World,
    pub phone_number_id: &'a str,
}

impl Scope<'_> {
    /// A medium in a header.
    pub fn media(
        &self,
        kind: MediaKind,
        object: &Value,
        parameter: &str,
    ) -> Result<(), GraphError> {
        let source = self
            .world
            .media_source(self.phone_number_id, kind, object, parameter);
        source.map(drop)
    }
}

/// Text that must be there and not empty.
pub(super) fn required<'a>(value: &'a Value, parameter: &str) -> Result<&'a str, GraphError> {
    match value {
        Value::Null => Err(GraphError::missing(parameter)),
        Value::String(text) if text.is_empty() => Err(GraphError::missing(parameter)),
        Value::String(text) => Ok(text),
        _ => Err(GraphError::invalid(parameter, "must be a string")),
    }
}

/// Text that must be there and has at most `max` code points.
pub(super) fn bounded<'a>(
    value: &'a Value,
    max: usize,
    parameter: &str,
) -> Result<&'a str, GraphError> {
    let text = required(value, parameter)?;
    if text.chars().count() > max {
        return Err(GraphError::too_long(parameter, max));
    }
    Ok(text)
}

/// Text that may be left out.
pub(super) fn optional<'a>(
    value: &'a Value,
    max: usize,
    parameter: &str,
) -> Result<Option<&'a str>, GraphError> {
    match value {
        Value::Null => Ok(None),
        value => bounded(value, max, parameter).map(Some),
    }
}

/// `to` wins over `recipient` (§4.1).
fn address(message: &Value) -> Result<&str, GraphError> {
    match (&message["to"], &message["recipient"]) {
        (Value::Null, Value::Null) => Err(GraphError::new(100, "The parameter to is required.")),
        (Value::Null, recipient) => required(recipient, "recipient"),
        (to, _) => required(to, "to"),
    }
}

/// Key of the chat that a send is for; `None` when it names nobody.
pub(super) fn recipient_key(message: &Value, waba_id: &str) -> Option<String> {
    chat_key(address(message).ok()?, waba_id)
}

/// Who the send is for: the address as given, the chat's key.
pub(super) fn recipient<'a>(
    message: &'a Value,
    waba_id: &str,
) -> Result<(&'a str, String), GraphError> {
    let given = address(message)?;
    let key = chat_key(given, waba_id).ok_or_else(|| {
        GraphError::new(131009, "Recipient is not a valid phone number or user id")
    })?;
    Ok((given, key))
}

impl World {
    /// Checks everything about a send that does not depend on its recipient.
    pub(super) fn content(
        &self,
        edge: Edge,
        scope: &Scope<'_>,
        waba_id: &str,
        message: &Value,
    ) -> Result<Content, GraphError> {
        optional(
            &message["biz_opaque_callback_data"],
            512,
            "biz_opaque_callback_data",
        )?;
        match message["recipient_type"].as_str().unwrap_or("individual") {
            "individual" => {}
            _ => return Err(GraphError::invalid("recipient_type", "must be individual")),
        }
        if !message["context"].is_null() {
            required(&message["context"]["message_id"], "context['message_id']")?;
        }
        let kind = message["type"].as_str().unwrap_or("text");
        edge.takes(kind, message)?;
        let object = &message[kind];
        if object.is_null() {
            return Err(GraphError::missing(kind));
        }
        let mut content = Content {
            kind: kind.to_owned(),
            text: String::new(),
            choices: Vec::new(),
            shown: Value::Null,
            template: None,
            paced: None,
            edge,
        };
        match (kind, MediaKind::parse(kind)) {
            (_, Some(media)) => {
                content.text = self.media_content(scope.phone_number_id, media, object)?
            }
            ("text", _) => {
                content.text = bounded(&object["body"], 4096, "text['body']")?.to_owned()
            }
            ("interactive", _) => {
                (content.text, content.choices) = interactive::read(scope, object)?
            }
            ("reaction", _) => content.text = self.reaction(object)?,
            ("template", _) => self.template_content(scope, waba_id, object, &mut content)?,
            ("location", _) => content.text = plain::location(object)?,
            ("contacts", _) => content.text = plain::contacts(object)?,
            _ => {
                let types = "must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, \
                             STICKER, TEMPLATE, TEXT, VIDEO}";
                return Err(GraphError::new(100, format!("Param type {types}.")));
            }
        }
        Ok(content)
    }

    fn template_content(
        &self,
        scope: &Scope<'_>,
        waba_id: &str,
        object: &Value,
        content: &mut Content,
    ) -> Result<(), GraphError> {
        let name = required(&object["name"], "template['name']")?;
        let language = required(&object["language"]["code"], "template['language']['code']")?;
        content.template = Some(TemplateCategory::Utility);
        let Some(template) = self.template(waba_id, name, language) else {
            if self.checks.templates {
                return Err(missing_template(name, language));
            }
            content.text = format!("[{name}]");
            return Ok(());
        };
        content.template = Some(template.category);
        content.paced = template.paced.then(|| template.id());
        let media = |kind, object: &Value, parameter: &str| scope.media(kind, object, parameter);
        let filled = template.fill(&object["components"], &media)?;
        (content.text, content.choices, content.shown) =
            (filled.text, filled.choices, filled.shown);
        Ok(())
    }

    fn reaction(&self, object: &Value) -> Result<String, GraphError> {
        let id = required(&object["message_id"], "reaction['message_id']")?;
        if self.checks.message_ids && wamid::read(id).is_none() {
            return Err(GraphError::invalid(
                "reaction['message_id']",
                "is not a message",
            ));
        }
        // Empty removes the reaction; leaving it out is a mistake.
        object["emoji"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| GraphError::missing("reaction['emoji']"))
    }
}
