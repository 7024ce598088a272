//! What one customer sees on the phone: the messages of one chat with one number, in order, with their ticks.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::Timestamp;

/// How far a message got. Meta's words for statuses (`whatsapp-cloud-api.md` §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tick {
    Accepted,
    Sent,
    Delivered,
    Read,
    Played,
    Failed,
}

impl Tick {
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    Business,
    Customer,
}

/// A button or row that the customer can tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub kind: ChoiceKind,
    /// The id that comes back; of a template button its payload.
    pub id: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceKind {
    Button,
    Row,
    TemplateButton,
}

/// One message in the chat.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChatItem {
    pub id: String,
    pub author: Author,
    /// Meta's word for the type.
    pub kind: String,
    /// What there is to read.
    pub text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The other side's emoji on this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    pub at: Timestamp,
    pub tick: Tick,
    /// Meta's code when the tick is `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<i64>,
    /// `biz_opaque_callback_data` of the send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
    /// The typed object as it travelled.
    pub content: Value,
    /// A template as the phone shows it: header, body, footer, buttons, cards.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub shown: Value,
    /// Pacing holds it: it is not on the phone yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// Deleted for everyone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// The chat's version when this item last changed.
    pub version: u64,
    /// What a status on command needs to know about the send.
    #[serde(skip)]
    pub(super) billing: super::status::Billing,
}

impl ChatItem {
    /// A message with nothing in it yet.
    pub(super) fn new(id: &str, author: Author, kind: String, at: Timestamp, tick: Tick) -> Self {
        Self {
            id: id.to_owned(),
            author,
            kind,
            text: String::new(),
            choices: Vec::new(),
            reply_to: None,
            reaction: None,
            at,
            tick,
            error: None,
            opaque: None,
            content: Value::Null,
            shown: Value::Null,
            held: false,
            edited: false,
            revoked: false,
            version: 0,
            billing: super::status::Billing::default(),
        }
    }
}

/// What of a chat is new to somebody who knew it at an earlier version.
#[derive(Debug, Serialize)]
pub(super) struct ChatChange {
    pub number: String,
    pub version: u64,
    pub typing_until: Option<Timestamp>,
    pub items: Vec<ChatItem>,
}

/// A chat as it stands. `version` grows with every change.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Chat {
    pub version: u64,
    /// "typing…" is shown until then (25 seconds at most, or until the answer; §4.5).
    pub typing_until: Option<Timestamp>,
    pub items: VecDeque<ChatItem>,
}

impl Chat {
    /// Messages of the business, oldest first: the customer's inbox.
    pub fn received(&self) -> impl Iterator<Item = &ChatItem> {
        self.items
            .iter()
            .filter(|item| item.author == Author::Business)
    }

    /// Texts of the messages of the business, oldest first.
    pub fn texts(&self) -> Vec<&str> {
        self.received().map(|item| &*item.text).collect()
    }

    pub fn item(&self, id: &str) -> Option<&ChatItem> {
        self.items.iter().rev().find(|item| item.id == id)
    }

    /// The item, which counts as changed from now on.
    pub(super) fn item_mut(&mut self, id: &str) -> Option<&mut ChatItem> {
        let item = self.items.iter_mut().rev().find(|item| item.id == id)?;
        item.version = self.version;
        Some(item)
    }

    /// The newest choice with this id or title that the business offered.
    pub(super) fn choice(&self, wanted: &str) -> Option<(&ChatItem, &Choice)> {
        self.received()
            .filter(|item| !item.choices.is_empty())
            .last()
            .and_then(|item| {
                let found = |choice: &&Choice| choice.id == wanted || choice.title == wanted;
                item.choices.iter().find(found).map(|choice| (item, choice))
            })
    }

    /// Blue ticks for `id` and everything the customer wrote before it.
    pub(super) fn mark_read(&mut self, id: &str, typing_until: Option<Timestamp>) {
        self.typing_until = typing_until;
        let upto = self.items.iter().position(|item| item.id == id);
        let Some(upto) = upto else { return };
        for item in self.items.iter_mut().take(upto + 1) {
            if item.author == Author::Customer && item.tick != Tick::Read {
                item.tick = Tick::Read;
                item.version = self.version;
            }
        }
    }

    /// Moves a message's ticks; they never go back.
    pub(super) fn tick(&mut self, id: &str, tick: Tick, error: Option<i64>) {
        let Some(item) = self.item_mut(id) else {
            return;
        };
        let fails = tick == Tick::Failed && item.tick <= Tick::Sent;
        let advances = tick != Tick::Failed && (item.tick < tick || item.tick == Tick::Failed);
        if fails || advances {
            item.tick = tick;
            item.error = error;
        }
    }
}
