//! The scripted customer: sends messages, taps what was offered, lets time pass.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use super::answer::{Answer, Effect};
use super::backend::{Conversation, Message};
use super::scene::{Hook, Memory, Scene, play};
use crate::kv::KvError;
use crate::{AutoReply, Enrichment, Failure, Kind, Outcome, Route, Routing, Turn};

type RouteHook = fn(&mut Turn<'_>) -> Result<Route, Failure>;

/// A customer of a tenant that uses the plugin. Plugin memory and clock are the tenant's: they go on when the customer
/// [switches](Customer::in_conversation) to another conversation.
pub struct Customer {
    enrich: Option<fn(&mut Turn<'_>) -> Outcome>,
    route: Option<RouteHook>,
    reply: Option<fn(&mut Turn<'_>) -> Outcome>,
    config: serde_json::Value,
    now: u64,
    turns: u64,
    memory: Memory,
    kv_error: Option<KvError>,
    conversations: BTreeMap<String, Talk>,
    current: String,
}

/// One conversation and what can be tapped in it.
struct Talk {
    conversation: Conversation,
    offered: Vec<(String, String)>,
}

/// 1 January 2026, 12:00 UTC.
const START: u64 = 1_767_268_800_000;

impl Default for Customer {
    fn default() -> Self {
        Self {
            enrich: None,
            route: None,
            reply: None,
            config: serde_json::json!({}),
            now: START,
            turns: 0,
            memory: Memory::new(),
            kv_error: None,
            conversations: BTreeMap::new(),
            current: "cnv_1".to_owned(),
        }
    }
}

/// Setting the scene.
impl Customer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn enrichment<P: Enrichment>(mut self) -> Self {
        self.enrich = Some(P::enrich);
        self
    }

    pub fn routing<P: Routing>(mut self) -> Self {
        self.route = Some(P::route);
        self
    }

    pub fn auto_reply<P: AutoReply>(mut self) -> Self {
        self.reply = Some(P::reply);
        self
    }

    /// The tenant's settings. They are not checked against the manifest's schema.
    pub fn config(mut self, config: serde_json::Value) -> Self {
        self.config = config;
        self
    }

    /// Every `kv` call answers this error from now on; `None` ends it.
    pub fn kv_answers(&mut self, error: Option<KvError>) {
        self.kv_error = error;
    }

    /// Sets the clock, in Unix milliseconds.
    pub fn clock_is(&mut self, now: u64) {
        self.now = now;
    }

    pub fn waits(&mut self, time: Duration) {
        self.now += u64::try_from(time.as_millis()).expect("a test's time");
    }

    /// Speaks in another conversation of the same tenant; a new one the first time.
    pub fn in_conversation(&mut self, id: &str) -> &mut Self {
        self.current = id.to_owned();
        self
    }

    /// The plugin's memory, as the turns so far left it.
    pub fn memory(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.memory
    }
}

/// Acting.
impl Customer {
    pub fn says(&mut self, text: &str) -> Answer {
        self.sends(Kind::Text, text, None)
    }

    /// Taps a button or row of the last answer that had any.
    ///
    /// # Panics
    /// When none with that id was offered.
    #[track_caller]
    pub fn taps(&mut self, id: &str) -> Answer {
        let offered = mem::take(&mut self.talk().offered);
        let chosen = offered.iter().find(|(offered, _)| offered == id).cloned();
        let Some((_, title)) = chosen else {
            panic!("nobody offered `{id}`, but {offered:?}");
        };
        self.talk().offered = offered;
        self.sends(Kind::Button, &title, Some(id))
    }

    /// Any message: a picture with a caption, a tap on a button of last year.
    pub fn sends(&mut self, kind: Kind, text: &str, payload: Option<&str>) -> Answer {
        self.turns += 1;
        let message = Message {
            id: format!("evt_{}", self.turns),
            kind,
            text: text.to_owned(),
            payload: payload.map(str::to_owned),
            sent_at: self.now,
            raw: serde_json::json!({"type": "text", "text": {"body": text}}).to_string(),
        };
        let conversation = self.talk().conversation.clone();
        let (result, scene) = play(self.scene(), || self.stages(&message, &conversation));
        self.conclude(result, scene)
    }

    fn scene(&self) -> Scene {
        Scene {
            hook: Hook::Enrichment,
            now: self.now,
            random: self.turns,
            config: self.config.clone(),
            memory: self.memory.clone(),
            kv_error: self.kv_error.clone(),
            effects: Vec::new(),
            log: Vec::new(),
        }
    }

    /// The hooks in the gateway's order; a failure ends the turn.
    fn stages(&self, message: &Message, talk: &Conversation) -> Result<Option<Route>, Failure> {
        let enter = |hook| super::scene::with(|scene| scene.hook = hook);
        if let Some(enrich) = self.enrich {
            enter(Hook::Enrichment);
            enrich(&mut Turn::new(message, talk))?;
        }
        let mut route = None;
        if let Some(hook) = self.route {
            enter(Hook::Routing);
            route = Some(hook(&mut Turn::new(message, talk))?);
        }
        let for_bot = matches!(route, None | Some(Route::Bot | Route::Pass));
        if let (Some(reply), true) = (self.reply, for_bot) {
            enter(Hook::AutoReply);
            reply(&mut Turn::new(message, talk))?;
        }
        Ok(route)
    }

    /// Keeps what the turn caused when it ended well, and forgets it otherwise.
    fn conclude(&mut self, result: Result<Option<Route>, Failure>, scene: Scene) -> Answer {
        let (route, failure, effects) = match result {
            Ok(route) => {
                self.memory = scene.memory;
                (route, None, scene.effects)
            }
            Err(failure) => (None, Some(failure), Vec::new()),
        };
        let answer = Answer {
            effects,
            route,
            failure,
            log: scene.log,
        };
        self.talk().take(&answer);
        answer
    }

    fn talk(&mut self) -> &mut Talk {
        let id = self.current.clone();
        let new = || Talk::new(id.clone());
        self.conversations.entry(id.clone()).or_insert_with(new)
    }
}

impl Talk {
    fn new(id: String) -> Self {
        let conversation = Conversation {
            id,
            display_name: Some("Ines".to_owned()),
            language: None,
            attributes: BTreeMap::new(),
            tags: Vec::new(),
            is_new: true,
        };
        Self {
            conversation,
            offered: Vec::new(),
        }
    }

    fn take(&mut self, answer: &Answer) {
        let offered = answer.choices();
        if !offered.is_empty() {
            let owned = |(id, title): &(&str, &str)| ((*id).to_owned(), (*title).to_owned());
            self.offered = offered.iter().map(owned).collect();
        }
        if answer.failure.is_none() {
            self.conversation.is_new = false;
        }
        for effect in &answer.effects {
            self.apply(effect);
        }
    }

    fn apply(&mut self, effect: &Effect) {
        let conversation = &mut self.conversation;
        match effect {
            Effect::SetLanguage(language) => conversation.language = Some(language.clone()),
            Effect::SetAttribute { key, value } => {
                conversation.attributes.insert(key.clone(), value.clone());
            }
            Effect::AddTag(tag) if !conversation.tags.contains(tag) => {
                conversation.tags.push(tag.clone());
            }
            Effect::RemoveTag(tag) => conversation.tags.retain(|known| known != tag),
            _ => {}
        }
    }
}
