//! `inbound`: the message and its conversation, as resources.
//!
//! A turn has one of each, so a handle carries nothing: every method answers for the turn's own.

use wasmtime::component::Resource;

use crate::plugin_host::bindings::vestibule::plugin::inbound;
use crate::plugin_host::bindings::{Conversation, Message};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::request::MessageKind;

impl inbound::Host for GuestState {}

impl inbound::HostMessage for GuestState {
    fn id(&mut self, _: Resource<Message>) -> wasmtime::Result<String> {
        self.handed(self.request.message.id.to_string())
    }

    fn kind(&mut self, _: Resource<Message>) -> wasmtime::Result<inbound::Kind> {
        self.enter(1)?;
        Ok(self.request.message.kind.into())
    }

    fn text(&mut self, _: Resource<Message>) -> wasmtime::Result<String> {
        self.handed(self.request.message.text.clone())
    }

    fn payload(&mut self, _: Resource<Message>) -> wasmtime::Result<Option<String>> {
        self.handed_option(self.request.message.payload.clone())
    }

    fn sent_at(&mut self, _: Resource<Message>) -> wasmtime::Result<u64> {
        self.enter(8)?;
        Ok(u64::try_from(self.request.message.sent_at.millis()).unwrap_or(0))
    }

    fn raw(&mut self, _: Resource<Message>) -> wasmtime::Result<String> {
        self.handed(self.request.message.raw.clone())
    }

    fn drop(&mut self, _: Resource<Message>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl inbound::HostConversation for GuestState {
    fn id(&mut self, _: Resource<Conversation>) -> wasmtime::Result<String> {
        self.handed(self.conversation.id.to_string())
    }

    fn contact(&mut self, _: Resource<Conversation>) -> wasmtime::Result<String> {
        self.handed(self.conversation.contact.to_string())
    }

    fn display_name(&mut self, _: Resource<Conversation>) -> wasmtime::Result<Option<String>> {
        self.handed_option(self.conversation.display_name.clone())
    }

    fn language(&mut self, _: Resource<Conversation>) -> wasmtime::Result<Option<String>> {
        self.handed_option(self.conversation.language.clone())
    }

    fn attribute(
        &mut self,
        _: Resource<Conversation>,
        key: String,
    ) -> wasmtime::Result<Option<String>> {
        self.handed_option(self.conversation.attributes.get(&key).cloned())
    }

    fn tags(&mut self, _: Resource<Conversation>) -> wasmtime::Result<Vec<String>> {
        let tags: Vec<String> = self.conversation.tags.iter().cloned().collect();
        self.enter(tags.iter().map(String::len).sum())?;
        Ok(tags)
    }

    fn is_new(&mut self, _: Resource<Conversation>) -> wasmtime::Result<bool> {
        self.enter(1)?;
        Ok(self.conversation.is_new)
    }

    fn drop(&mut self, _: Resource<Conversation>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl GuestState {
    fn handed(&mut self, text: String) -> wasmtime::Result<String> {
        self.enter(text.len())?;
        Ok(text)
    }

    fn handed_option(&mut self, text: Option<String>) -> wasmtime::Result<Option<String>> {
        self.enter(text.as_ref().map_or(0, String::len))?;
        Ok(text)
    }
}

impl From<MessageKind> for inbound::Kind {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Button => Self::Button,
            MessageKind::ListChoice => Self::ListChoice,
            MessageKind::Media => Self::Media,
            MessageKind::Reaction => Self::Reaction,
            MessageKind::Other => Self::Other,
        }
    }
}
