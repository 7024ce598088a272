//! The content of a send: required parts, types, lengths and counts (`whatsapp-cloud-api.md` §4.2, §4.3).

use std::borrow::Cow;

use serde_json::Value;

use super::super::chat::Choice;
use super::super::error::GraphError;
use super::super::identity::chat_key;
use super::super::template::{TemplateCategory, missing_template};
use super::super::world::World;
use super::interactive;

/// A send that is well-formed.
pub(super) struct Content {
    pub kind: String,
    /// What the customer reads.
    pub text: String,
    pub choices: Vec<Choice>,
    /// The template's category; `None`: free-form, which needs an open window.
    pub template: Option<TemplateCategory>,
}

impl Content {
    pub fn category(&self) -> Cow<'static, str> {
        Cow::Borrowed(
            self.template
                .map_or("service", TemplateCategory::in_pricing),
        )
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
    pub(super) fn content(&self, waba_id: &str, message: &Value) -> Result<Content, GraphError> {
        optional(
            &message["biz_opaque_callback_data"],
            512,
            "biz_opaque_callback_data",
        )?;
        match message["recipient_type"].as_str().unwrap_or("individual") {
            "individual" => {}
            _ => return Err(GraphError::invalid("recipient_type", "must be individual")),
        }
        let kind = message["type"].as_str().unwrap_or("text");
        let object = &message[kind];
        if object.is_null() {
            return Err(GraphError::missing(kind));
        }
        let mut content = Content {
            kind: kind.to_owned(),
            text: String::new(),
            choices: Vec::new(),
            template: None,
        };
        match kind {
            "text" => content.text = bounded(&object["body"], 4096, "text['body']")?.to_owned(),
            "interactive" => (content.text, content.choices) = interactive::read(object)?,
            "reaction" => content.text = self.reaction(object)?,
            "template" => self.template_content(waba_id, object, &mut content)?,
            "image" | "video" | "audio" | "document" | "sticker" => {
                content.text = media(kind, object)?;
            }
            "location" => content.text = location(object)?,
            "contacts" => content.text = contacts(object)?,
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
        let filled = template.fill(&object["components"])?;
        (content.text, content.choices) = (filled.text, filled.choices);
        Ok(())
    }

    fn reaction(&self, object: &Value) -> Result<String, GraphError> {
        let id = required(&object["message_id"], "reaction['message_id']")?;
        if self.checks.message_ids && super::super::wamid::read(id).is_none() {
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

fn media(kind: &str, object: &Value) -> Result<String, GraphError> {
    let (id, link) = (object["id"].as_str(), object["link"].as_str());
    let source = match (id, link) {
        (Some(source), None) | (None, Some(source)) if !source.is_empty() => source,
        (Some(_), Some(_)) => {
            return Err(GraphError::invalid(
                kind,
                "takes either id or link, not both",
            ));
        }
        _ => {
            return Err(GraphError::missing(&format!(
                "{kind}['id'] or {kind}['link']"
            )));
        }
    };
    let caption = optional(&object["caption"], 1024, &format!("{kind}['caption']"))?;
    if caption.is_some() && matches!(kind, "audio" | "sticker") {
        return Err(GraphError::invalid(
            &format!("{kind}['caption']"),
            "is not supported",
        ));
    }
    Ok(caption.map_or_else(|| format!("[{kind} {source}]"), str::to_owned))
}

fn location(object: &Value) -> Result<String, GraphError> {
    let degrees = |name: &str| match &object[name] {
        Value::Number(number) => Ok(number.to_string()),
        // Meta takes numbers as text, too.
        Value::String(text) if text.parse::<f64>().is_ok() => Ok(text.clone()),
        Value::Null => Err(GraphError::missing(&format!("location['{name}']"))),
        _ => Err(GraphError::invalid(
            &format!("location['{name}']"),
            "must be a number",
        )),
    };
    Ok(format!(
        "[location {} {}]",
        degrees("latitude")?,
        degrees("longitude")?
    ))
}

fn contacts(object: &Value) -> Result<String, GraphError> {
    let cards = object.as_array().filter(|cards| !cards.is_empty());
    let cards = cards.ok_or_else(|| GraphError::missing("contacts"))?;
    if cards.len() > 257 {
        return Err(GraphError::invalid(
            "contacts",
            "has more than 257 elements",
        ));
    }
    let names: Result<Vec<_>, _> = cards
        .iter()
        .map(|card| {
            required(
                &card["name"]["formatted_name"],
                "contacts['name']['formatted_name']",
            )
        })
        .collect();
    Ok(format!("[contacts {}]", names?.join(", ")))
}
