//! The scripted customer: sends messages, taps what was offered, lets time pass.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use super::answer::Answer;
use super::backend::{Conversation, Event, Message, Receipt, Timer};
use super::incoming::Incoming;
use super::memory::{Ends, Memory, TurnMemory};
use super::reads::{Past, Reads, Script};
use super::scene::{Hook, HttpScript, Scene, play, with};
use super::templates::{AccountTemplate, Templates};
use crate::history::{Owner, Ownership};
use crate::http::{HttpError, Request, Response};
use crate::kv::KvError;
use crate::window::{PriceClass, State};
use crate::{
    AutoReply, Due, Effect, Enrichment, EventTurn, Failure, Field, Kind, OnEvent, OnReceipt,
    OnTimer, Outcome, Purpose, ReadError, ReceiptStatus, ReceiptTurn, Route, Routing, TimerTurn,
    Turn,
};

type RouteHook = fn(&mut Turn<'_>) -> Result<Route, Failure>;

/// A customer of a tenant that uses the plugin. Plugin memory and clock are the tenant's: they go on when the customer
/// [switches](Customer::in_conversation) to another conversation.
pub struct Customer {
    enrich: Option<fn(&mut Turn<'_>) -> Outcome>,
    route: Option<RouteHook>,
    reply: Option<fn(&mut Turn<'_>) -> Outcome>,
    event: Option<fn(&mut EventTurn<'_>) -> Outcome>,
    timer: Option<fn(&mut TimerTurn<'_>) -> Outcome>,
    receipt: Option<fn(&mut ReceiptTurn<'_>) -> Outcome>,
    config: serde_json::Value,
    now: u64,
    turns: u64,
    memory: Memory,
    ends: Ends,
    kv_error: Option<KvError>,
    http: Option<HttpScript>,
    asked: Vec<Request>,
    script: Script,
    conversations: BTreeMap<String, Talk>,
    current: String,
}

/// One conversation and what can be tapped in it.
struct Talk {
    conversation: Conversation,
    offered: Vec<(String, String)>,
    timers: Vec<Timer>,
    past: Past,
}

/// A timer that is set, for a test to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct SetTimer {
    pub name: String,
    /// Unix milliseconds.
    pub due_at: u64,
    pub fields: Vec<Field>,
}

/// 1 January 2026, 12:00 UTC.
const START: u64 = 1_767_268_800_000;

impl Default for Customer {
    fn default() -> Self {
        Self {
            enrich: None,
            route: None,
            reply: None,
            event: None,
            timer: None,
            receipt: None,
            config: serde_json::json!({}),
            now: START,
            turns: 0,
            memory: Memory::new(),
            ends: Ends::new(),
            kv_error: None,
            http: None,
            asked: Vec::new(),
            script: Script::default(),
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

    pub fn on_event<P: OnEvent>(mut self) -> Self {
        self.event = Some(P::handle);
        self
    }

    pub fn on_timer<P: OnTimer>(mut self) -> Self {
        self.timer = Some(P::fire);
        self
    }

    pub fn on_receipt<P: OnReceipt>(mut self) -> Self {
        self.receipt = Some(P::receive);
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

    /// Gives the grant `http` and answers every request. Grants, hosts and addresses are not checked; secrets and personal
    /// data stand in the request as the plugin names them.
    pub fn http(
        mut self,
        answer: impl Fn(&Request) -> Result<Response, HttpError> + 'static,
    ) -> Self {
        self.http = Some(Rc::new(answer));
        self
    }

    /// Every request so far, in order.
    pub fn asked(&self) -> &[Request] {
        &self.asked
    }

    /// The number's account has these templates; without this it has none. `default`: the language that the tenant has set
    /// for sends that leave it to the gateway.
    pub fn templates(
        mut self,
        all: impl Into<Vec<AccountTemplate>>,
        default: Option<&str>,
    ) -> Self {
        self.script.templates = Templates::of(all.into(), default);
        self
    }

    /// Every read ([`crate::window`], [`crate::contacts`], [`crate::history`], [`crate::templates`]) answers this error from now on; `None` ends it.
    pub fn reads_answer(&mut self, error: Option<ReadError>) {
        self.script.error = error;
    }

    /// The window is this, whatever was said.
    pub fn window_is(&mut self, state: State) {
        self.script.window = Some(state);
    }

    /// What is said has this price, whatever the window is.
    pub fn price_is(&mut self, price: PriceClass) {
        self.script.price = Some(price);
    }

    /// The tenant's own key of this customer.
    pub fn is_known_as(&mut self, key: &str) {
        self.script.key = Some(key.to_owned());
    }

    /// The customer's consent does not cover this; `why` is a word of `docs/policy.md`.
    pub fn refuses(&mut self, purpose: Purpose, why: &str) {
        self.script.refused.push((purpose, why.to_owned()));
    }

    /// Somebody gets this conversation, now.
    pub fn is_given_to(&mut self, owner: Owner) {
        let since = Some(self.now);
        self.talk().past.ownership = Ownership { owner, since };
    }

    /// Sets the clock, in Unix milliseconds.
    pub fn clock_is(&mut self, now: u64) {
        self.now = now;
    }

    /// Lets time pass. Timers of this conversation that fall due fire, each at its time; answers what came of them.
    pub fn waits(&mut self, time: Duration) -> Vec<Answer> {
        let end = self.now + u64::try_from(time.as_millis()).expect("a test's time");
        let mut answers = Vec::new();
        while let Some(timer) = self.next_due(end) {
            self.now = self.now.max(timer.due_at);
            answers.extend(self.fires(&timer));
        }
        self.now = end;
        answers
    }

    /// Timers of this conversation, the next first.
    pub fn timers(&mut self) -> Vec<SetTimer> {
        let mut timers = self.talk().timers.clone();
        timers.sort_by_key(|timer| timer.due_at);
        let shown = timers.into_iter().map(|timer| SetTimer {
            name: timer.name,
            due_at: timer.due_at,
            fields: timer.fields,
        });
        shown.collect()
    }

    fn next_due(&mut self, end: u64) -> Option<Timer> {
        let timers = &mut self.talk().timers;
        timers.sort_by_key(|timer| timer.due_at);
        let due = timers.first().is_some_and(|timer| timer.due_at <= end);
        due.then(|| timers.remove(0))
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

    /// A message of a kind, with words: a picture with a caption, a tap on a button of last year.
    pub fn sends(&mut self, kind: Kind, text: &str, payload: Option<&str>) -> Answer {
        self.sends_message(Incoming {
            kind,
            payload: payload.map(str::to_owned),
            ..Incoming::text(text)
        })
    }

    /// Any message.
    pub fn sends_message(&mut self, said: Incoming) -> Answer {
        self.turns += 1;
        let message = Message {
            id: format!("evt_{}", self.turns),
            sent_at: self.now,
            said,
        };
        let now = self.now;
        let talk = self.talk();
        talk.past.heard_at = Some(now);
        let conversation = talk.conversation.clone();
        let scene = self.scene(&message.said.text);
        let ((route, result), scene) = play(scene, || self.stages(&message, conversation));
        // What a turn is about is none of what was said before it.
        let past = &mut self.talk().past;
        past.heard(&message.said, message.token(), now);
        self.conclude(route, result, scene)
    }

    /// The tenant's systems tell of something about this customer.
    ///
    /// # Panics
    /// When the plugin has no such hook.
    #[track_caller]
    pub fn told(&mut self, name: &str, fields: &[Field]) -> Answer {
        let hook = self.event.expect("the plugin hears events");
        let id = format!("event-{}", self.turns + 1);
        let (at, name, fields) = (self.now, name.to_owned(), fields.to_vec());
        let event = Event {
            id,
            name,
            at,
            fields,
        };
        self.occurs(Hook::OnEvent, |talk| {
            hook(&mut Turn::about(crate::Event::new(&event), talk))
        })
    }

    /// Meta tells what became of a message.
    ///
    /// # Panics
    /// When the plugin has no such hook.
    #[track_caller]
    pub fn receipt(&mut self, send: &str, status: ReceiptStatus, error: Option<i64>) -> Answer {
        let hook = self.receipt.expect("the plugin hears receipts");
        let (send, at) = (send.to_owned(), self.now);
        let receipt = Receipt {
            send,
            status,
            at,
            error,
        };
        self.occurs(Hook::OnReceipt, |talk| {
            hook(&mut Turn::about(crate::Receipt::new(&receipt), talk))
        })
    }

    fn fires(&mut self, timer: &Timer) -> Option<Answer> {
        let hook = self.timer?;
        Some(self.occurs(Hook::OnTimer, |talk| {
            hook(&mut Turn::about(crate::Timer::new(timer), talk))
        }))
    }

    /// A turn without a message: one hook.
    fn occurs(&mut self, hook: Hook, call: impl FnOnce(&Conversation) -> Outcome) -> Answer {
        self.turns += 1;
        let mut talk = self.talk().conversation.clone();
        talk.is_new = false;
        let (result, scene) = play(self.scene(""), || {
            with(|scene| scene.hook = hook);
            let result = call(&talk);
            if result.is_ok() {
                with(Scene::keep);
            } else {
                with(Scene::undo);
            }
            result
        });
        let is_new = self.talk().conversation.is_new;
        let answer = self.conclude(None, result, scene);
        if !answer.effects.contains(&Effect::Close) {
            self.talk().conversation.is_new = is_new;
        }
        answer
    }

    fn scene(&mut self, heard: &str) -> Scene {
        let (script, now) = (self.script.clone(), self.now);
        let talk = self.talk();
        let reads = Reads {
            script,
            past: talk.past.clone(),
            now,
            talk: talk.conversation.clone(),
        };
        let (memory, ends) = (self.memory.clone(), self.ends.clone());
        Scene {
            hook: Hook::Enrichment,
            now: self.now,
            heard: heard.to_owned(),
            random: self.turns,
            config: self.config.clone(),
            memory: TurnMemory::new(memory, ends, self.now, &self.current),
            kv_error: self.kv_error.clone(),
            http: self.http.clone(),
            asked: Vec::new(),
            reads,
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
            *route = Some(stages.route(hook)?);
        }
        let for_bot = matches!(route, None | Some(Route::Bot | Route::Pass));
        if let (Some(reply), true) = (self.reply, for_bot) {
            stages.run(Hook::AutoReply, reply)?;
        }
        Ok(())
    }

    /// Keeps what the turn caused: of a turn that is to run again nothing, else what hooks that returned `Ok` did.
    fn conclude(&mut self, route: Option<Route>, result: Outcome, mut scene: Scene) -> Answer {
        self.asked.append(&mut scene.asked);
        let again = matches!(result, Err(Failure::Retry(_)));
        let (route, effects) = if again {
            (None, Vec::new())
        } else {
            (self.memory, self.ends) = scene.memory.commit();
            (route, scene.kept)
        };
        let answer = Answer {
            effects,
            route,
            failure: result.err(),
            log: scene.log,
        };
        let now = self.now;
        self.talk().take(&answer, again, now);
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
    /// Routing answers that it asked if, and only if, it did.
    fn route(&mut self, hook: RouteHook) -> Result<Route, Failure> {
        self.run(Hook::Routing, |turn| {
            let route = hook(turn)?;
            let asked = with(|scene| {
                let mut effects = scene.effects.iter();
                effects.any(|effect| matches!(effect, Effect::HandOver { .. }))
            });
            match asked == (route == Route::AsAsked) {
                true => Ok(route),
                false => Err(Failure::Fault(format!(
                    "routing answered {route:?}, a hand-over was asked for: {asked}"
                ))),
            }
        })
    }

    fn run<R>(
        &mut self,
        hook: Hook,
        call: impl FnOnce(&mut Turn<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        with(|scene| {
            scene.hook = hook;
            scene.reads.talk = self.talk.clone();
        });
        let result = call(&mut Turn::about(
            crate::Message::new(self.message),
            &self.talk,
        ));
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
            contact_attributes: BTreeMap::new(),
            tags: BTreeSet::new(),
            is_new: true,
        };
        Self {
            conversation,
            offered: Vec::new(),
            timers: Vec::new(),
            past: Past::new(),
        }
    }

    fn take(&mut self, answer: &Answer, again: bool, now: u64) {
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
            self.time(effect, now);
            if let Effect::Say { content, .. } = effect {
                self.past.answered(content, now);
            }
        }
        // Timers are the bot's, in conversations that it has and that are not closed.
        let over = |effect: &Effect| matches!(effect, Effect::Close | Effect::HandOver { .. });
        if answer.effects.iter().any(over) {
            self.timers.clear();
        }
    }

    fn time(&mut self, effect: &Effect, now: u64) {
        match effect {
            Effect::SetTimer { name, due, fields } => {
                let due_at = match due {
                    Due::At(moment) => *moment,
                    Due::After(after) => {
                        now.saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
                    }
                };
                self.timers.retain(|timer| timer.name != *name);
                self.timers.push(Timer {
                    name: name.clone(),
                    set_at: now,
                    // As in the gateway: a second from now at the earliest.
                    due_at: due_at.max(now + 1_000),
                    fields: fields.clone(),
                });
            }
            Effect::CancelTimer(name) => self.timers.retain(|timer| timer.name != *name),
            _ => {}
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
            Effect::RemoveAttribute(key) => {
                self.attributes.remove(key);
            }
            Effect::SetContactAttribute { key, value } => {
                match value {
                    Some(value) => self.contact_attributes.insert(key.clone(), value.clone()),
                    None => self.contact_attributes.remove(key),
                };
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
