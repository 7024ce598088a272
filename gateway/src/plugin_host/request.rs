//! What the pipeline hands in for one turn: plain data, complete before the turn begins.
//!
//! The host adds nothing to it but answers of `kv`: no clock, no randomness of its own, so a turn can be replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::inbound::InboundContent;
use crate::domain::{
    ContactId, ConversationId, EventId, InstallationId, TenantId, Timestamp, TurnId,
};

use super::kv::KvReader;
use super::limits::Limits;
use super::plugin::Plugin;

/// One turn: a message, its conversation, and the plugins that may look at it, in order.
pub struct TurnRequest {
    pub turn: TurnId,
    pub tenant: TenantId,
    /// The turn's time; it stands still.
    pub now: Timestamp,
    /// Where the turn's randomness comes from; each installation draws its own stream.
    pub seed: [u8; 32],
    pub message: MessageView,
    pub conversation: ConversationView,
    pub plugins: Vec<PluginBinding>,
    pub kv: Arc<dyn KvReader>,
    /// Does the bot own the conversation? If not, nobody is asked to route or to reply.
    pub bot_owns: bool,
}

/// An installed plugin as a turn sees it.
#[derive(Clone)]
pub struct PluginBinding {
    pub plugin: Arc<Plugin>,
    pub installation: InstallationId,
    pub config: Arc<ConfigJson>,
    pub grants: Grants,
    pub limits: Limits,
}

/// The message, as much as plugins may know of it.
#[derive(Debug, Clone)]
pub struct MessageView {
    pub id: EventId,
    pub kind: MessageKind,
    pub text: String,
    pub payload: Option<String>,
    pub sent_at: Timestamp,
    /// One `messages[]` element as JSON, phone numbers, user ids and wamids already taken out by the caller.
    pub raw: String,
}

impl MessageView {
    pub fn of(id: EventId, content: &InboundContent, sent_at: Timestamp, raw: String) -> Self {
        Self {
            id,
            kind: content.into(),
            text: content.words().to_owned(),
            payload: content.payload().map(str::to_owned),
            sent_at,
            raw,
        }
    }
}

/// The contract's kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    Text,
    Button,
    ListChoice,
    Media,
    Reaction,
    Other,
}

impl From<&InboundContent> for MessageKind {
    fn from(content: &InboundContent) -> Self {
        match content {
            InboundContent::Text { .. } => Self::Text,
            InboundContent::ButtonReply { .. } | InboundContent::TemplateButton { .. } => {
                Self::Button
            }
            InboundContent::ListReply { .. } => Self::ListChoice,
            InboundContent::Media { .. } => Self::Media,
            InboundContent::Reaction { .. } => Self::Reaction,
            // The contract has no more kinds yet: plugins read these from `raw`.
            _ => Self::Other,
        }
    }
}

/// The conversation before the turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationView {
    pub id: ConversationId,
    pub contact: ContactId,
    pub display_name: Option<String>,
    pub language: Option<String>,
    pub attributes: BTreeMap<String, String>,
    pub tags: BTreeSet<String>,
    pub is_new: bool,
}

/// What tenant and operator gave. A grant that is missing answers `denied`, it is never a missing import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants {
    pub kv: bool,
}

impl Grants {
    /// Reads names of grants as a manifest or an installation lists them; unknown names grant nothing.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names
            .into_iter()
            .fold(Self::default(), |grants, name| Self {
                kv: grants.kv || name == "kv",
            })
    }
}

/// The tenant's settings of an installation, written out once so that a turn only copies text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigJson {
    all: String,
    by_key: BTreeMap<String, String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the settings are not one JSON object")]
    NotAnObject(#[source] serde_json::Error),
}

impl ConfigJson {
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let values: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(ConfigError::NotAnObject)?;
        Ok(Self::from_object(values))
    }

    pub fn from_object(values: serde_json::Map<String, serde_json::Value>) -> Self {
        let by_key = values
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect();
        Self {
            all: serde_json::Value::Object(values).to_string(),
            by_key,
        }
    }

    pub fn empty() -> Self {
        Self::from_object(serde_json::Map::new())
    }

    /// All settings as the text of one JSON object.
    pub fn all(&self) -> &str {
        &self.all
    }

    /// One setting as JSON text.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.by_key.get(key).map(String::as_str)
    }
}
