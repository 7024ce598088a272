//! What the pipeline hands in for one turn: plain data, complete before the turn begins.
//!
//! The host adds nothing to it but answers of `kv`, of `http` and of what may be read: no clock, no randomness of its own, so a
//! turn can be replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::domain::attribute::{AttributeKind, AttributeValue, Fields};
use crate::domain::{
    ContactId, ConversationId, EventId, InboundContent, InboundMessage, InstallationId, Occasion,
    TenantId, Timestamp, TurnId,
};

use super::grant::{Grant, asks_for};
use super::http::{HttpRule, HttpSender};
use super::kv::KvReader;
use super::limits::Limits;
use super::plugin::Plugin;
use super::reads::ReadSource;
use super::recorded::setup_mark;

/// One turn: a message or an occasion, its conversation, and the plugins that may look at it, in order.
pub struct TurnRequest {
    pub turn: TurnId,
    pub tenant: TenantId,
    /// The turn's time; it stands still.
    pub now: Timestamp,
    /// Where the turn's randomness comes from; each installation draws its own stream.
    pub seed: [u8; 32],
    pub about: Arc<About>,
    pub conversation: Arc<ConversationView>,
    pub plugins: Vec<PluginBinding>,
    pub kv: Arc<dyn KvReader>,
    pub http: Arc<dyn HttpSender>,
    /// What comes of it is looked at and thrown away: nothing may leave.
    pub shadow: bool,
    /// What plugins may read of the turn beside its message.
    pub reads: Arc<dyn ReadSource>,
    /// Does the bot own the conversation? If not, nobody is asked to route or to reply.
    pub bot_owns: bool,
    /// The attributes of contacts that the tenant has defined.
    pub contact_kinds: Arc<ContactKinds>,
    pub weight: Weight,
}

impl TurnRequest {
    /// May a plugin of it ask other servers?
    pub(super) fn asks_others(&self) -> bool {
        let mut grants = self.plugins.iter().map(|binding| &binding.grants);
        grants.any(|grants| !grants.http.is_empty())
    }
}

/// What the tenant's turns usually take. Each kind has threads of its own, so that nobody's short turn waits for a part of
/// somebody's long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Light,
    /// Runs on cores that nobody else wants.
    Heavy,
}

/// Kinds of the contacts' attributes, by their names.
pub type ContactKinds = BTreeMap<String, AttributeKind>;

/// What a turn is about.
#[derive(Debug, Clone)]
pub enum About {
    Message(Box<MessageView>),
    Occasion(OccasionView),
}

impl About {
    /// The message, of a turn that has one.
    pub fn message(&self) -> Option<&MessageView> {
        match self {
            Self::Message(message) => Some(message),
            Self::Occasion(_) => None,
        }
    }

    pub fn occasion(&self) -> Option<&OccasionView> {
        match self {
            Self::Message(_) => None,
            Self::Occasion(occasion) => Some(occasion),
        }
    }
}

/// What happened, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct OccasionView {
    pub occasion: Occasion,
    pub at: Timestamp,
}

/// An installed plugin as a turn sees it.
#[derive(Clone)]
pub struct PluginBinding {
    pub plugin: Arc<Plugin>,
    pub installation: InstallationId,
    pub config: Arc<ConfigJson>,
    pub grants: Grants,
    pub limits: Limits,
    /// Equal for equal components, settings, grants, limits and engines.
    pub setup: Arc<str>,
}

/// A version's setup as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct StoredSetup<'a> {
    /// Of its component.
    pub digest: &'a str,
    /// JSON object.
    pub config: &'a str,
    /// JSON array of names.
    pub grants: &'a str,
}

/// Why a stored setup does not read.
#[derive(Debug, thiserror::Error)]
pub enum SetupUnreadable {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the grants are not a list of names")]
    Grants(#[source] serde_json::Error),
}

impl PluginBinding {
    /// A plugin under its stored setup. `limits`: the operator's, of which it asks for its own. What its manifest does not ask
    /// for nobody has given it, whatever is stored.
    pub fn of(
        plugin: Arc<Plugin>,
        installation: InstallationId,
        stored: StoredSetup<'_>,
        limits: &Limits,
    ) -> Result<Self, SetupUnreadable> {
        let config = ConfigJson::parse(stored.config)?;
        let mut grants: Vec<String> =
            serde_json::from_str(stored.grants).map_err(SetupUnreadable::Grants)?;
        grants.retain(|grant| asks_for(&plugin.manifest().grants, grant));
        let limits = limits.for_asked(plugin.manifest().limits);
        Ok(Self {
            plugin,
            installation,
            config: Arc::new(config),
            grants: Grants::from_names(grants.iter().map(String::as_str)),
            setup: setup_mark(stored, &limits).into(),
            limits,
        })
    }
}

/// The message, as much as plugins may know of it.
#[derive(Debug, Clone)]
pub struct MessageView {
    pub id: EventId,
    pub message: InboundMessage,
    pub sent_at: Timestamp,
    /// Made of its wamid: see [`message_token`].
    pub token: String,
    /// One `messages[]` element as JSON, phone numbers, user ids and wamids already taken out by the caller.
    pub raw: String,
}

impl MessageView {
    /// The words of the message.
    pub fn text(&self) -> &str {
        self.message.content.words()
    }

    pub fn payload(&self) -> Option<&str> {
        self.message.content.payload()
    }

    pub fn content(&self) -> &InboundContent {
        &self.message.content
    }
}

/// A name for a message that is equal for equal messages of a tenant and tells nothing of them: a wamid has the
/// customer's phone number in it (facts §2.1).
pub fn message_token(tenant: TenantId, wamid: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"vestibule:plugin/message");
    hash.update(tenant.raw().to_le_bytes());
    hash.update(wamid);
    format!("msg_{}", hex::encode(&hash.finalize()[..16]))
}

/// The conversation before the turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationView {
    pub id: ConversationId,
    pub contact: ContactId,
    pub display_name: Option<String>,
    pub language: Option<String>,
    pub attributes: Fields,
    /// The contact's, as the tenant has defined them.
    pub contact_attributes: BTreeMap<String, AttributeValue>,
    pub tags: BTreeSet<String>,
    pub is_new: bool,
}

/// What tenant and operator gave. A grant that is missing answers `denied`, it is never a missing import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    pub kv: bool,
    pub window: bool,
    pub contacts: bool,
    pub conversation: bool,
    pub templates: bool,
    pub http: Arc<Vec<HttpRule>>,
    /// Secrets that may be written into requests, by their names.
    pub secrets: Arc<BTreeSet<String>>,
    pub phone: bool,
    pub bsuid: bool,
}

impl Grants {
    /// Reads grants as an installation lists them; what does not read grants nothing.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self::default();
        let (mut rules, mut secrets) = (Vec::new(), BTreeSet::new());
        for grant in names.into_iter().filter_map(|name| Grant::parse(name).ok()) {
            match grant {
                Grant::Plain("kv") => grants.kv = true,
                Grant::Plain("window") => grants.window = true,
                Grant::Plain("contacts") => grants.contacts = true,
                Grant::Plain("conversation") => grants.conversation = true,
                Grant::Plain("templates") => grants.templates = true,
                Grant::Plain(_) => {}
                Grant::Http(rule) => rules.push(rule),
                Grant::Secret(name) => secrets.extend(name),
                Grant::Phone => grants.phone = true,
                Grant::Bsuid => grants.bsuid = true,
            }
        }
        Self {
            http: Arc::new(rules),
            secrets: Arc::new(secrets),
            ..grants
        }
    }

    /// May it read of the turn beside its message?
    pub fn reads(&self) -> bool {
        self.window || self.contacts || self.conversation || self.templates
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
