//! The host of native tests: the same functions as in Wasm, over the running [`Scene`].

use std::collections::{BTreeMap, BTreeSet};

use super::incoming::Incoming;
use super::memory::TurnMemory;
pub(crate) use super::reads::Contact;
use super::rules;
use super::scene::{Scene, with};
pub(crate) use super::templates::KnownTemplate;
use crate::history::{Entry, Ownership};
use crate::http::{HttpError, Request, Response};
use crate::kv::{KvError, Page, Space};
use crate::log::Level;
use crate::message::{
    CallPermission, Form, Forwarded, Kind, Location, Media, Order, Reaction, Referral,
    ReferredProduct, SharedCard,
};
use crate::templates::{Filter, Key, Page as TemplatePage};
use crate::window::{PriceClass, State};
use crate::{Effect, EffectError, Field, ReadError, ReceiptStatus, Value};

/// The scripted message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) sent_at: u64,
    pub(crate) said: Incoming,
}

/// Accessors that give a copy of what the script says.
macro_rules! copies {
    ($($name:ident: $type:ty,)*) => {
        $(pub(crate) fn $name(&self) -> $type {
            self.said.$name.clone()
        })*
    };
}

impl Message {
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }
    pub(crate) fn token(&self) -> String {
        self.id.replacen("evt", "msg", 1)
    }
    pub(crate) fn sent_at(&self) -> u64 {
        self.sent_at
    }
    pub(crate) fn raw(&self) -> String {
        serde_json::json!({"type": "text", "text": {"body": self.said.text}}).to_string()
    }
    copies! {
        kind: Kind,
        text: String,
        payload: Option<String>,
        media: Option<Media>,
        location: Option<Location>,
        reaction: Option<Reaction>,
        contacts: Vec<SharedCard>,
        order: Option<Order>,
        form: Option<Form>,
        call_permission: Option<CallPermission>,
        other_kind: Option<String>,
        answers: Option<String>,
        referral: Option<Referral>,
        product: Option<ReferredProduct>,
        forwarded: Forwarded,
    }
}

fn found(fields: &[Field], name: &str) -> Option<Value> {
    let field = fields.iter().find(|field| field.name == name);
    field.map(|field| field.value.clone())
}

/// The scripted business event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) at: u64,
    pub(crate) fields: Vec<Field>,
}

impl Event {
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }
    pub(crate) fn at(&self) -> u64 {
        self.at
    }
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        found(&self.fields, name)
    }
    pub(crate) fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }
}

/// A timer that is set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timer {
    pub(crate) name: String,
    pub(crate) set_at: u64,
    pub(crate) due_at: u64,
    pub(crate) fields: Vec<Field>,
}

impl Timer {
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }
    pub(crate) fn set_at(&self) -> u64 {
        self.set_at
    }
    pub(crate) fn due_at(&self) -> u64 {
        self.due_at
    }
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        found(&self.fields, name)
    }
    pub(crate) fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }
}

/// The scripted receipt.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) send: String,
    pub(crate) status: ReceiptStatus,
    pub(crate) at: u64,
    pub(crate) error: Option<i64>,
}

impl Receipt {
    pub(crate) fn send(&self) -> String {
        self.send.clone()
    }
    pub(crate) fn status(&self) -> ReceiptStatus {
        self.status.clone()
    }
    pub(crate) fn at(&self) -> u64 {
        self.at
    }
    pub(crate) fn error(&self) -> Option<i64> {
        self.error
    }
}

/// The scripted conversation.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) attributes: BTreeMap<String, Value>,
    pub(crate) contact_attributes: BTreeMap<String, Value>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) is_new: bool,
}

impl Conversation {
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }
    pub(crate) fn contact(&self) -> String {
        self.id.replacen("cnv", "con", 1)
    }
    pub(crate) fn display_name(&self) -> Option<String> {
        self.display_name.clone()
    }
    pub(crate) fn language(&self) -> Option<String> {
        self.language.clone()
    }
    pub(crate) fn attribute(&self, key: &str) -> Option<Value> {
        self.attributes.get(key).cloned()
    }
    pub(crate) fn attributes(&self) -> Vec<Field> {
        let all = self.attributes.iter();
        all.map(|(name, value)| Field::new(name, value.clone()))
            .collect()
    }
    pub(crate) fn contact_attribute(&self, key: &str) -> Option<Value> {
        self.contact_attributes.get(key).cloned()
    }
    pub(crate) fn tags(&self) -> Vec<String> {
        self.tags.iter().cloned().collect()
    }
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }
    /// The only plugin's, as long as nobody took it.
    pub(crate) fn is_the_bots(&self) -> bool {
        true
    }
}

pub(crate) fn ask(effect: Effect) -> Result<(), EffectError> {
    with(|scene| {
        let before = scene.kept.len() + scene.effects.len();
        rules::check(&effect, scene.hook, before, &scene.heard)?;
        scene.effects.push(effect);
        Ok(())
    })
}

pub(crate) fn log(level: Level, line: &str) {
    with(|scene| scene.log.push((level, line.to_owned())));
}

pub(crate) fn now() -> u64 {
    with(|scene| scene.now)
}

/// SplitMix64: the same script draws the same numbers.
pub(crate) fn random_u64() -> u64 {
    with(|scene| {
        scene.random = scene.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (scene.random ^ (scene.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

pub(crate) fn random_bytes(len: u32) -> Vec<u8> {
    (0..len).map(|_| random_u64().to_le_bytes()[0]).collect()
}

pub(crate) fn config_get(key: &str) -> Option<String> {
    with(|scene| scene.config.get(key).map(ToString::to_string))
}

pub(crate) fn config_all() -> String {
    with(|scene| scene.config.to_string())
}

fn memory<R>(call: impl FnOnce(&mut TurnMemory) -> Result<R, KvError>) -> Result<R, KvError> {
    with(|scene: &mut Scene| match &scene.kv_error {
        Some(error) => Err(error.clone()),
        None => call(&mut scene.memory),
    })
}

pub(crate) fn kv_get(space: Space, key: &str) -> Result<Option<Vec<u8>>, KvError> {
    memory(|memory| memory.get(space, key))
}

pub(crate) fn kv_set(
    space: Space,
    key: &str,
    value: &[u8],
    ttl: Option<u64>,
) -> Result<(), KvError> {
    memory(|memory| memory.set(space, key, value, ttl))
}

pub(crate) fn kv_delete(space: Space, key: &str) -> Result<(), KvError> {
    memory(|memory| memory.delete(space, key))
}

pub(crate) fn kv_add(space: Space, key: &str, delta: i64) -> Result<(), KvError> {
    memory(|memory| memory.add(space, key, delta))
}

pub(crate) fn kv_list(
    space: Space,
    prefix: &str,
    after: Option<&str>,
    most: u32,
) -> Result<Page, KvError> {
    memory(|memory| memory.list(space, prefix, after, most))
}

pub(crate) fn window_now() -> Result<State, ReadError> {
    with(|scene| scene.reads.window())
}

pub(crate) fn window_price() -> Result<PriceClass, ReadError> {
    with(|scene| scene.reads.price())
}

pub(crate) fn contact() -> Result<Contact, ReadError> {
    with(|scene| scene.reads.contact())
}

pub(crate) fn recent(most: u32) -> Result<Vec<Entry>, ReadError> {
    with(|scene| scene.reads.recent(most))
}

pub(crate) fn owned_by() -> Result<Ownership, ReadError> {
    with(|scene| scene.reads.owned_by())
}

pub(crate) fn search_templates(
    filter: &Filter,
    after: Option<&Key>,
    most: u32,
) -> Result<TemplatePage, ReadError> {
    with(|scene| scene.reads.templates()?.0.search(filter, after, most))
}

pub(crate) fn find_template(key: &Key) -> Result<Option<KnownTemplate>, ReadError> {
    with(|scene| scene.reads.templates()?.0.find(key))
}

pub(crate) fn choose_language(name: &str, language: &str) -> Result<Option<String>, ReadError> {
    with(|scene| {
        let (templates, person) = scene.reads.templates()?;
        templates.language(name, language, person)
    })
}

/// Requests of one turn that the host takes unless told otherwise.
const REQUESTS: usize = 8;

pub(crate) fn http_send(request: Request) -> Result<Response, HttpError> {
    let script = with(|scene| {
        if scene.asked.len() >= REQUESTS {
            let most = format!("at most {REQUESTS} requests a turn");
            return Err(HttpError::Quota(most));
        }
        let script = scene.http.clone();
        let script =
            script.ok_or_else(|| HttpError::Denied("the grant `http` is missing".into()))?;
        scene.asked.push(request.clone());
        Ok(script)
    })?;
    script(&request)
}
