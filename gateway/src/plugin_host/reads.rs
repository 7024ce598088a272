//! What plugins read of the turn beside its message (grants `window`, `contacts`, `conversation` and `templates`).
//!
//! Each is asked once a turn, when a plugin first wants it, and stands still for all of them. What was handed out goes
//! into the journal, and a replay asks that instead. A turn whose plugins ask for nothing pays nothing.

mod journal;
mod templates;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OnceCell};

use super::limits::HISTORY_ENTRIES;
use super::waiting;
use crate::domain::{DraftClass, OpenWord, Owner, Timestamp};

pub use journal::{PastAnswer, ReadAnswers, TemplateAnswers};
pub(super) use templates::TemplatesSession;
pub use templates::{
    LanguageAsked, ListedTemplate, SearchAsked, TemplateKey, TemplatePage, TemplateView,
};

/// What the source said, or why it did not.
pub type Read<T> = Result<T, ReadUnavailable>;

/// The source did not answer. The turn can be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("it cannot be read: {0}")]
pub struct ReadUnavailable(pub String);

/// Where a turn's reads come from: storage in service, a journal in a replay. It is made for one turn, so no question
/// names a tenant, a person or a conversation. What a source does not have is not available.
pub trait ReadSource: Send + Sync {
    fn window(&self) -> BoxFuture<'_, Read<WindowView>> {
        nowhere()
    }

    fn person(&self) -> BoxFuture<'_, Read<PersonView>> {
        nowhere()
    }

    /// The newest first, at most so many; asked again for more, it begins with the same.
    fn past(&self, _most: u32) -> BoxFuture<'_, Read<Vec<Said>>> {
        nowhere()
    }

    fn ownership(&self) -> BoxFuture<'_, Read<OwnershipView>> {
        nowhere()
    }

    fn templates<'a>(&'a self, _asked: &'a SearchAsked) -> BoxFuture<'a, Read<TemplatePage>> {
        nowhere()
    }

    fn template<'a>(&'a self, _key: &'a TemplateKey) -> BoxFuture<'a, Read<Option<TemplateView>>> {
        nowhere()
    }

    fn template_language<'a>(
        &'a self,
        _asked: &'a LanguageAsked,
    ) -> BoxFuture<'a, Read<Option<String>>> {
        nowhere()
    }
}

fn nowhere<T: Send + 'static>() -> BoxFuture<'static, Read<T>> {
    let none = ReadUnavailable("there is nothing to read here".to_owned());
    Box::pin(std::future::ready(Err(none)))
}

/// A source that has nothing: for turns of which no plugin may read.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReads;

impl ReadSource for NoReads {}

/// The window as policy reads it, and what decides the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowView {
    pub window: WindowNow,
    pub price: PriceNow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowNow {
    Open { until: Timestamp },
    Closed,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceNow {
    FreeEntryPoint { until: Timestamp },
    Service,
    ByCategory,
    Unknown,
}

/// What of the turn's person does not stand in its conversation's view.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_key: Option<String>,
    /// What their consent does not cover, each with policy's word for why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<(DraftClass, String)>,
}

/// Something that was said in the conversation, without anything that names a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub who: OpenWord<Speaker>,
    pub kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Person,
    Bot,
    Agent,
    Client,
    Gateway,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnershipView {
    pub owner: Owner,
    /// None: the bot, from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Why a read has no result, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadRefused {
    Denied,
    Invalid(String),
    Quota(String),
    Unavailable(String),
}

impl From<ReadUnavailable> for ReadRefused {
    fn from(unavailable: ReadUnavailable) -> Self {
        Self::Unavailable(unavailable.0)
    }
}

/// What one turn has read so far, shared by its plugins.
pub(super) struct TurnReads {
    source: Arc<dyn ReadSource>,
    io: Arc<Handle>,
    window: OnceCell<Read<WindowView>>,
    person: OnceCell<Read<PersonView>>,
    ownership: OnceCell<Read<OwnershipView>>,
    /// The longest that was asked for; a failure stays one.
    past: Mutex<Option<PastAnswer>>,
    templates: Mutex<TemplateAnswers>,
}

impl TurnReads {
    pub(super) fn new(source: Arc<dyn ReadSource>, io: Arc<Handle>) -> Self {
        Self {
            source,
            io,
            window: OnceCell::new(),
            person: OnceCell::new(),
            ownership: OnceCell::new(),
            past: Mutex::default(),
            templates: Mutex::default(),
        }
    }

    pub(super) async fn window(&self) -> Result<WindowView, ReadRefused> {
        let source = self.source.clone();
        let question = || self.ask(async move { source.window().await });
        Ok(self.window.get_or_init(question).await.clone()?)
    }

    pub(super) async fn person(&self) -> Result<PersonView, ReadRefused> {
        let source = self.source.clone();
        let question = || self.ask(async move { source.person().await });
        Ok(self.person.get_or_init(question).await.clone()?)
    }

    /// What is known of the person, of a turn that has asked.
    pub(super) fn known_person(&self) -> Option<&PersonView> {
        self.person.get()?.as_ref().ok()
    }

    pub(super) async fn ownership(&self) -> Result<OwnershipView, ReadRefused> {
        let source = self.source.clone();
        let question = || self.ask(async move { source.ownership().await });
        Ok(self.ownership.get_or_init(question).await.clone()?)
    }

    pub(super) async fn past(&self, most: u32) -> Result<Vec<Said>, ReadRefused> {
        if !(1..=HISTORY_ENTRIES).contains(&most) {
            let why = format!("most: 1 to {HISTORY_ENTRIES}");
            return Err(ReadRefused::Invalid(why));
        }
        let mut known = self.past.lock().await;
        if let Some(answer) = known.as_ref().and_then(|known| known.of(most)) {
            return Ok(answer?);
        }
        let source = self.source.clone();
        let said = self.ask(async move { source.past(most).await }).await;
        let answer = known.insert(PastAnswer { most, said });
        Ok(answer.said.clone()?)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Read<T>> + Send + 'static,
    ) -> Read<T> {
        let answer = waiting::ask(&self.io, question).await;
        answer.unwrap_or_else(|why| Err(ReadUnavailable(why.to_owned())))
    }

    /// What was handed out, for the journal.
    pub(super) fn answers(&self) -> ReadAnswers {
        ReadAnswers {
            window: self.window.get().cloned(),
            person: self.person.get().cloned(),
            ownership: self.ownership.get().cloned(),
            // The turn is over: nobody holds it.
            past: self.past.try_lock().ok().and_then(|past| past.clone()),
            templates: self
                .templates
                .try_lock()
                .map(|told| told.clone())
                .unwrap_or_default(),
        }
    }
}
