//! `inbound`: the message and the conversation, as resources.
//!
//! A turn has one of each, so a handle carries nothing: every method answers for the turn's own.

use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::bindings::vestibule::plugin::inbound as wit;
use super::bindings::{Conversation, Message};
use super::values::{moment, shown_fields};
use super::words::{self, shown};
use crate::domain::attribute::{AttributeValue, Fields, Finite};
use crate::domain::inbound::{Referral, SharedContact};
use crate::domain::{InboundContent, Timestamp};
use crate::plugin_host::abi::charge::{Carried, Element, flat, function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::request::message_token;

type Wired = wasmtime::Result<()>;
type M = (Resource<Message>,);
type C = (Resource<Conversation>,);
type Keyed = (Resource<Conversation>, String);

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    to.resource("message", ResourceType::host::<Message>(), |_, _| Ok(()))?;
    wire_message(to)?;
    wire_content(to)?;
    wire_context(to)?;
    wire_conversation(to)
}

fn wire_message(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "[method]message.id", |state, _: M| {
        Ok((state.message()?.id.to_string(),))
    })?;
    function(to, "[method]message.token", |state, _: M| {
        Ok((state.message()?.token.clone(),))
    })?;
    function(to, "[method]message.kind", |state, _: M| {
        Ok((wit::Kind::from(state.message()?.content()),))
    })?;
    function(to, "[method]message.text", |state, _: M| {
        Ok((state.message()?.text().to_owned(),))
    })?;
    function(to, "[method]message.payload", |state, _: M| {
        Ok((state.message()?.payload().map(str::to_owned),))
    })?;
    function(to, "[method]message.sent-at", |state, _: M| {
        Ok((moment(state.message()?.sent_at),))
    })?;
    function(to, "[method]message.raw", |state, _: M| {
        Ok((state.message()?.raw.clone(),))
    })
}

fn wire_content(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "[method]message.media", |state, _: M| {
        Ok((media(state.message()?.content()),))
    })?;
    function(to, "[method]message.location", |state, _: M| {
        Ok((location(state.message()?.content()),))
    })?;
    function(to, "[method]message.reaction", |state, _: M| {
        Ok((reaction(state)?,))
    })?;
    function(to, "[method]message.contacts", |state, _: M| {
        Ok((cards(state.message()?.content()),))
    })?;
    function(to, "[method]message.order", |state, _: M| {
        Ok((order(state.message()?.content()),))
    })?;
    function(to, "[method]message.form", |state, _: M| {
        Ok((form(state.message()?.content()),))
    })?;
    function(to, "[method]message.call-permission", |state, _: M| {
        Ok((call_permission(state.message()?.content()),))
    })?;
    function(to, "[method]message.other-kind", |state, _: M| {
        Ok((other_kind(state.message()?.content()),))
    })
}

fn wire_context(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "[method]message.answers", |state, _: M| {
        let context = state.message()?.message.context.as_ref();
        let tenant = state.request.tenant;
        let wamid = context.and_then(|context| context.id.as_deref());
        Ok((wamid.map(|wamid| message_token(tenant, wamid)),))
    })?;
    function(to, "[method]message.referral", |state, _: M| {
        let referral = state.message()?.message.referral.clone();
        Ok((referral.map(wit::Referral::from),))
    })?;
    function(to, "[method]message.product", |state, _: M| {
        let context = state.message()?.message.context.as_ref();
        let product = context.and_then(|context| context.product.clone());
        let product = product.map(|product| wit::Product {
            catalog: product.catalog_id,
            retailer_id: product.retailer_id,
        });
        Ok((product,))
    })?;
    function(to, "[method]message.forwarded", |state, _: M| {
        let context = state.message()?.message.context.as_ref();
        Ok((match context {
            Some(context) if context.frequently_forwarded => wit::Forwarded::Often,
            Some(context) if context.forwarded => wit::Forwarded::Once,
            _ => wit::Forwarded::No,
        },))
    })
}

fn wire_conversation(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    let resource = ResourceType::host::<Conversation>();
    to.resource("conversation", resource, |_, _| Ok(()))?;
    function(to, "[method]conversation.id", |state, _: C| {
        Ok((state.conversation.id.to_string(),))
    })?;
    function(to, "[method]conversation.contact", |state, _: C| {
        Ok((state.conversation.contact.to_string(),))
    })?;
    function(to, "[method]conversation.display-name", |state, _: C| {
        Ok((state.conversation.display_name.clone(),))
    })?;
    function(to, "[method]conversation.language", |state, _: C| {
        Ok((state.conversation.language.clone(),))
    })?;
    function(
        to,
        "[method]conversation.attribute",
        |state, (_, key): Keyed| Ok((state.conversation.attributes.get(&key).map(shown),)),
    )?;
    function(to, "[method]conversation.attributes", |state, _: C| {
        Ok((shown_fields(&state.conversation.attributes),))
    })?;
    function(
        to,
        "[method]conversation.contact-attribute",
        |state, (_, key): Keyed| {
            let attributes = &state.conversation.contact_attributes;
            Ok((attributes.get(&key).map(shown),))
        },
    )?;
    function(to, "[method]conversation.tags", |state, _: C| {
        let tags: Vec<String> = state.conversation.tags.iter().cloned().collect();
        Ok((tags,))
    })?;
    function(to, "[method]conversation.is-new", |state, _: C| {
        Ok((state.conversation.is_new,))
    })?;
    function(to, "[method]conversation.is-the-bots", |state, _: C| {
        Ok((state.request.bot_owns,))
    })
}

impl From<&InboundContent> for wit::Kind {
    fn from(content: &InboundContent) -> Self {
        use InboundContent as In;
        match content {
            In::Text { .. } => Self::Text,
            In::ButtonReply { .. } | In::TemplateButton { .. } => Self::Button,
            In::ListReply { .. } => Self::ListChoice,
            In::Media { kind, .. } if words::media_kind(kind).is_some() => Self::Media,
            In::Reaction { .. } => Self::Reaction,
            In::Location { .. } => Self::Location,
            In::Contacts { .. } => Self::Contacts,
            In::Order { .. } => Self::Order,
            In::FlowReply { .. } => Self::Form,
            In::CallPermission { .. } => Self::CallPermission,
            In::RequestWelcome => Self::Welcome,
            In::Unsupported { .. } => Self::Unsupported,
            // The first start no turn, so no plugin meets them; of the last the contract has no case.
            In::Edit { .. }
            | In::Revoke { .. }
            | In::System { .. }
            | In::Call(_)
            | In::Handover(_)
            | In::Media { .. }
            | In::Other { .. } => Self::Other,
        }
    }
}

fn media(content: &InboundContent) -> Option<wit::Media> {
    let InboundContent::Media {
        kind,
        media_id,
        mime_type,
        sha256,
        caption,
        filename,
        voice,
    } = content
    else {
        return None;
    };
    Some(wit::Media {
        kind: words::media_kind(kind)?,
        handle: media_id.clone(),
        mime_type: mime_type.clone(),
        caption: caption.clone(),
        filename: filename.clone(),
        sha256: sha256.clone(),
        voice: *voice,
    })
}

fn location(content: &InboundContent) -> Option<wit::Location> {
    let InboundContent::Location {
        latitude,
        longitude,
        name,
        address,
        url,
    } = content
    else {
        return None;
    };
    Some(wit::Location {
        latitude: *latitude,
        longitude: *longitude,
        name: name.clone(),
        address: address.clone(),
        url: url.clone(),
    })
}

fn reaction(state: &GuestState) -> wasmtime::Result<Option<wit::Reaction>> {
    let InboundContent::Reaction { message_id, emoji } = state.message()?.content() else {
        return Ok(None);
    };
    Ok(Some(wit::Reaction {
        emoji: emoji.clone().filter(|emoji| !emoji.is_empty()),
        message: message_token(state.request.tenant, message_id),
    }))
}

fn cards(content: &InboundContent) -> Vec<wit::Card> {
    let card = |card: &SharedContact| wit::Card {
        name: card.name.clone(),
        phones: card
            .phones
            .iter()
            .map(|phone| phone.phone.clone())
            .collect(),
        emails: card.emails.clone(),
        company: card.company.clone(),
    };
    match content {
        InboundContent::Contacts { contacts, .. } => contacts.iter().map(card).collect(),
        _ => Vec::new(),
    }
}

fn order(content: &InboundContent) -> Option<wit::Order> {
    let InboundContent::Order {
        catalog_id,
        text,
        items,
    } = content
    else {
        return None;
    };
    let items = items.iter().map(|item| wit::OrderItem {
        retailer_id: item.retailer_id.clone(),
        quantity: item.quantity,
        price: item.price.clone(),
        currency: item.currency.clone(),
    });
    Some(wit::Order {
        catalog: catalog_id.clone(),
        text: text.clone(),
        items: items.collect(),
    })
}

fn form(content: &InboundContent) -> Option<wit::Form> {
    let InboundContent::FlowReply { name, response, .. } = content else {
        return None;
    };
    let answers: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(response).unwrap_or_default();
    let fields: Fields = answers
        .into_iter()
        .map(|(name, value)| (name, answered(value)))
        .collect();
    Some(wit::Form {
        name: name.clone(),
        fields: shown_fields(&fields),
    })
}

/// An answer as it is. What the contract has no case for stays JSON.
fn answered(value: serde_json::Value) -> AttributeValue {
    use serde_json::Value;
    let number = |value: &Value| Finite::try_from(value.as_f64()?).ok();
    match &value {
        Value::String(text) => text.clone().into(),
        Value::Bool(value) => AttributeValue::Boolean(*value),
        Value::Number(_) => {
            number(&value).map_or(AttributeValue::Other(value), AttributeValue::Number)
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts = items.iter().filter_map(Value::as_str).map(str::to_owned);
            AttributeValue::Items(texts.collect())
        }
        _ => AttributeValue::Other(value),
    }
}

fn call_permission(content: &InboundContent) -> Option<wit::CallPermission> {
    let InboundContent::CallPermission {
        accepted,
        permanent,
        expires_at,
        ..
    } = content
    else {
        return None;
    };
    let millis = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
    Some(wit::CallPermission {
        accepted: *accepted,
        permanent: *permanent,
        expires: expires_at.map(|seconds| moment(millis(seconds))),
    })
}

fn other_kind(content: &InboundContent) -> Option<String> {
    match content {
        InboundContent::Unsupported { kind, .. } => kind.clone(),
        InboundContent::Other { kind } => Some(kind.clone()),
        InboundContent::Media { kind, .. } if words::media_kind(kind).is_none() => {
            Some(kind.word().to_owned())
        }
        _ => None,
    }
}

impl From<Referral> for wit::Referral {
    fn from(referral: Referral) -> Self {
        Self {
            source: referral.source_type,
            source_id: referral.source_id,
            source_url: referral.source_url,
            headline: referral.headline,
            body: referral.body,
            click_id: referral.ctwa_clid,
        }
    }
}

flat!(wit::Kind, wit::Forwarded, wit::CallPermission);

/// What a record carries: the sum of its parts.
macro_rules! carries {
    ($($record:ty { $($part:ident),* })*) => {
        $(impl Carried for $record {
            fn carried(&self) -> usize {
                size_of::<u64>() $(+ self.$part.carried())*
            }
        })*
    };
}

carries! {
    wit::Media { kind, handle, mime_type, caption, filename, sha256 }
    wit::Location { name, address, url }
    wit::Reaction { emoji, message }
    wit::Card { name, phones, emails, company }
    wit::OrderItem { retailer_id, price, currency }
    wit::Order { catalog, text, items }
    wit::Form { name, fields }
    wit::Referral { source, source_id, source_url, headline, body, click_id }
    wit::Product { catalog, retailer_id }
}

impl Element for wit::Card {}
impl Element for wit::OrderItem {}

/// These run once for each line.
#[cfg(test)]
mod tests {
    use super::super::ABI;
    use super::*;

    #[test]
    fn an_answer_in_parts_is_other_and_was_the_text_of_its_json() {
        let form = form(&InboundContent::FlowReply {
            name: "flow".to_owned(),
            body: String::new(),
            response: r#"{"size":"L","trip":{"km":4},"ways":[1,2]}"#.to_owned(),
        });
        let fields = form.expect("a form").fields;
        let shown: Vec<String> = fields
            .iter()
            .map(|field| format!("{:?}", field.value))
            .collect();
        let case = if ABI.has_other() { "Other" } else { "Text" };
        let expected = [
            r#"Value::Text("L")"#.to_owned(),
            format!(r#"Value::{case}("{{\"km\":4}}")"#),
            format!(r#"Value::{case}("[1,2]")"#),
        ];
        assert_eq!(shown, expected);
    }
}
