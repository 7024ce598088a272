//! The scripted customer: sends messages, taps what was offered, lets time pass.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use super::answer::{Answer, Effect};
use super::backend::{Conversation, Message};
use super::memory::{Memory, TurnMemory};
use super::scene::{Hook, Scene, play, with};
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
        let ((route, result), scene) = play(self.scene(), || self.stages(&message, conversation));
        self.conclude(route, result, scene)
    }

    fn scene(&self) -> Scene {
        Scene {
            hook: Hook::Enrichment,
            now: self.now,
            random: self.turns,
            config: self.config.clone(),
            memory: TurnMemory::new(self.memory.clone()),
            kv_error: self.kv_error.clone(),
            kept: Vec::new(),
            effects: Vec::new(),
            log: Vec::new(),
        }
    }

    /// The hooks in the gateway's order, each with the conversation as those before it left it. A failure ends the turn,
    /// as this is the only plugin.
    fn stages(&self, message: &Message, talk: Conversation) -> (Option<Route>, Outcome) {
        let mut stages = Stages { message, talk };
        let mut route = None;
        let result = self.each_stage(&mut stages, &mut route);
        (route, result)
    }

    fn each_stage(&self, stages: &mut Stages<'_>, route: &mut Option<Route>) -> Outcome {
        if let Some(enrich) = self.enrich {
            stages.run(Hook::Enrichment, enrich)?;
        }
        if let Some(hook) = self.route {
            *route = Some(stages.run(Hook::Routing, hook)?);
        }
        let for_bot = matches!(route, None | Some(Route::Bot | Route::Pass));
        if let (Some(reply), true) = (self.reply, for_bot) {
            stages.run(Hook::AutoReply, reply)?;
        }
        Ok(())
    }

    /// Keeps what the turn caused: of a turn that is to run again nothing, else what hooks that returned `Ok` did.
    fn conclude(&mut self, route: Option<Route>, result: Outcome, scene: Scene) -> Answer {
        let again = matches!(result, Err(Failure::Retry(_)));
        let (route, effects) = if again {
            (None, Vec::new())
        } else {
            self.memory = scene.memory.commit();
            (route, scene.kept)
        };
        let answer = Answer {
            effects,
            route,
            failure: result.err(),
            log: scene.log,
        };
        self.talk().take(&answer, again);
        answer
    }

    fn talk(&mut self) -> &mut Talk {
        let id = self.current.clone();
        let new = || Talk::new(id.clone());
        self.conversations.entry(id.clone()).or_insert_with(new)
    }
}

/// A turn between its hooks.
struct Stages<'a> {
    message: &'a Message,
    talk: Conversation,
}

impl Stages<'_> {
    fn run<R>(
        &mut self,
        hook: Hook,
        call: fn(&mut Turn<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        with(|scene| scene.hook = hook);
        let result = call(&mut Turn::new(self.message, &self.talk));
        if result.is_ok() {
            let effects = with(Scene::keep);
            effects.iter().for_each(|effect| self.talk.apply(effect));
        } else {
            with(Scene::undo);
        }
        result
    }
}

impl Talk {
    fn new(id: String) -> Self {
        let conversation = Conversation {
            id,
            display_name: Some("Ines".to_owned()),
            language: None,
            attributes: BTreeMap::new(),
            tags: BTreeSet::new(),
            is_new: true,
        };
        Self {
            conversation,
            offered: Vec::new(),
        }
    }

    fn take(&mut self, answer: &Answer, again: bool) {
        let offered = answer.choices();
        if !offered.is_empty() {
            let owned = |(id, title): &(&str, &str)| ((*id).to_owned(), (*title).to_owned());
            self.offered = offered.iter().map(owned).collect();
        }
        if !again {
            // A conversation that was closed is new again.
            self.conversation.is_new = answer.effects.contains(&Effect::Close);
        }
        for effect in &answer.effects {
            self.conversation.apply(effect);
        }
    }
}

impl Conversation {
    /// The facts that later hooks and turns see.
    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::SetLanguage(language) => self.language = Some(language.clone()),
            Effect::SetAttribute { key, value } => {
                self.attributes.insert(key.clone(), value.clone());
            }
            Effect::AddTag(tag) => {
                self.tags.insert(tag.clone());
            }
            Effect::RemoveTag(tag) => {
                self.tags.remove(tag);
            }
            _ => {}
        }
    }
}
