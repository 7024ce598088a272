//! `inbound`: the message and its conversation, as resources.
//!
//! A turn has one of each, so a handle carries nothing: every method answers for the turn's own.

use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use crate::domain::InboundContent;

use super::bindings::vestibule::plugin::inbound;
use super::bindings::{Conversation, Message};
use crate::plugin_host::abi::charge::{flat, function};
use crate::plugin_host::guest_state::GuestState;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    wire_message(to)?;
    wire_conversation(to)
}

fn wire_message(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use inbound::HostMessage as Host;
    to.resource("message", ResourceType::host::<Message>(), |_, _| Ok(()))?;
    function(to, "[method]message.id", |state, (m,)| {
        Ok((Host::id(state, m)?,))
    })?;
    function(to, "[method]message.kind", |state, (m,)| {
        Ok((Host::kind(state, m)?,))
    })?;
    function(to, "[method]message.text", |state, (m,)| {
        Ok((Host::text(state, m)?,))
    })?;
    function(to, "[method]message.payload", |state, (m,)| {
        Ok((Host::payload(state, m)?,))
    })?;
    function(to, "[method]message.sent-at", |state, (m,)| {
        Ok((Host::sent_at(state, m)?,))
    })?;
    function(to, "[method]message.raw", |state, (m,)| {
        Ok((Host::raw(state, m)?,))
    })
}

fn wire_conversation(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use inbound::HostConversation as Host;
    let resource = ResourceType::host::<Conversation>();
    to.resource("conversation", resource, |_, _| Ok(()))?;
    function(to, "[method]conversation.id", |state, (c,)| {
        Ok((Host::id(state, c)?,))
    })?;
    function(to, "[method]conversation.contact", |state, (c,)| {
        Ok((Host::contact(state, c)?,))
    })?;
    function(to, "[method]conversation.display-name", |state, (c,)| {
        Ok((Host::display_name(state, c)?,))
    })?;
    function(to, "[method]conversation.language", |state, (c,)| {
        Ok((Host::language(state, c)?,))
    })?;
    function(to, "[method]conversation.attribute", |state, (c, key)| {
        Ok((Host::attribute(state, c, key)?,))
    })?;
    function(to, "[method]conversation.tags", |state, (c,)| {
        Ok((Host::tags(state, c)?,))
    })?;
    function(to, "[method]conversation.is-new", |state, (c,)| {
        Ok((Host::is_new(state, c)?,))
    })
}

flat!(inbound::Kind);

impl inbound::HostMessage for GuestState {
    fn id(&mut self, _: Resource<Message>) -> wasmtime::Result<String> {
        Ok(self.message()?.id.to_string())
    }

    fn kind(&mut self, _: Resource<Message>) -> wasmtime::Result<inbound::Kind> {
        Ok(self.message()?.content().into())
    }

    fn text(&mut self, _: Resource<Message>) -> wasmtime::Result<String> {
        Ok(self.message()?.text().to_owned())
    }

    fn payload(&mut self, _: Resource<Message>) -> wasmtime::Result<Option<String>> {
        Ok(self.message()?.payload().map(str::to_owned))
    }

    fn sent_at(&mut self, _: Resource<Message>) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.message()?.sent_at.millis()).unwrap_or(0))
    }

    fn raw(&mut self, _: Resource<Message>) -> wasmtime::Result<String> {
        Ok(self.message()?.raw.clone())
    }

    fn drop(&mut self, _: Resource<Message>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl inbound::HostConversation for GuestState {
    fn id(&mut self, _: Resource<Conversation>) -> wasmtime::Result<String> {
        Ok(self.conversation.id.to_string())
    }

    fn contact(&mut self, _: Resource<Conversation>) -> wasmtime::Result<String> {
        Ok(self.conversation.contact.to_string())
    }

    fn display_name(&mut self, _: Resource<Conversation>) -> wasmtime::Result<Option<String>> {
        Ok(self.conversation.display_name.clone())
    }

    fn language(&mut self, _: Resource<Conversation>) -> wasmtime::Result<Option<String>> {
        Ok(self.conversation.language.clone())
    }

    fn attribute(
        &mut self,
        _: Resource<Conversation>,
        key: String,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self
            .conversation
            .attributes
            .get(&key)
            .map(ToString::to_string))
    }

    fn tags(&mut self, _: Resource<Conversation>) -> wasmtime::Result<Vec<String>> {
        Ok(self.conversation.tags.iter().cloned().collect())
    }

    fn is_new(&mut self, _: Resource<Conversation>) -> wasmtime::Result<bool> {
        Ok(self.conversation.is_new)
    }

    fn drop(&mut self, _: Resource<Conversation>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl From<&InboundContent> for inbound::Kind {
    fn from(content: &InboundContent) -> Self {
        match content {
            InboundContent::Text { .. } => Self::Text,
            InboundContent::ButtonReply { .. } | InboundContent::TemplateButton { .. } => {
                Self::Button
            }
            InboundContent::ListReply { .. } => Self::ListChoice,
            InboundContent::Media { kind, .. } if kind.known().is_some() => Self::Media,
            InboundContent::Reaction { .. } => Self::Reaction,
            // This version has no more kinds: its plugins read these from `raw`.
            _ => Self::Other,
        }
    }
}
