//! Templates as plugins ask for them (grant `templates`): the questions and their bounds, the answers, and what one plugin
//! has asked for so far.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::journal::{Told, known};
use super::{Read, ReadRefused, ReadSource, TemplateAnswers, TurnReads};
use crate::domain::OpenWord;
use crate::domain::template::{TemplateCategory, TemplateQuality, TemplateShape, TemplateStatus};
use crate::plugin_host::limits::{
    TEMPLATE_CATEGORY_CHARS, TEMPLATE_LANGUAGE_CHARS, TEMPLATE_NAME_CHARS, TEMPLATE_PAGE,
    TEMPLATE_QUESTIONS,
};

/// One language version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateKey {
    pub name: String,
    pub language: String,
}

/// Approved ones by name and language, behind a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchAsked {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub begins_with: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<OpenWord<TemplateCategory>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<TemplateKey>,
    pub most: u32,
}

/// Which language does a send go out in that says so of it?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageAsked {
    pub name: String,
    pub wish: String,
    /// What the conversation is held in, as earlier hooks of the turn left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplatePage {
    pub listed: Vec<ListedTemplate>,
    /// There are more behind the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTemplate {
    #[serde(flatten)]
    pub key: TemplateKey,
    pub category: OpenWord<TemplateCategory>,
    pub quality: OpenWord<TemplateQuality>,
}

/// One of them, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateView {
    pub category: OpenWord<TemplateCategory>,
    pub status: TemplateStatus,
    pub quality: OpenWord<TemplateQuality>,
    /// `None`: nobody has seen yet what it looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Arc<TemplateShape>>,
}

/// What a line of the journal takes beside its texts.
const LINE: usize = 96;

impl TemplateKey {
    fn check(&self) -> Result<(), ReadRefused> {
        check("name", &self.name, 1, TEMPLATE_NAME_CHARS)?;
        check("language", &self.language, 1, TEMPLATE_LANGUAGE_CHARS)
    }

    pub(super) fn bytes(&self) -> usize {
        self.name.len() + self.language.len() + LINE
    }
}

impl SearchAsked {
    fn check(&self) -> Result<(), ReadRefused> {
        if !(1..=TEMPLATE_PAGE).contains(&self.most) {
            let why = format!("most: 1 to {TEMPLATE_PAGE}");
            return Err(ReadRefused::Invalid(why));
        }
        check("begins-with", &self.begins_with, 0, TEMPLATE_NAME_CHARS)?;
        if let Some(language) = &self.language {
            check("language", language, 1, TEMPLATE_LANGUAGE_CHARS)?;
        }
        if let Some(OpenWord::Other(category)) = &self.category {
            check("category", category, 1, TEMPLATE_CATEGORY_CHARS)?;
        }
        self.after.as_ref().map_or(Ok(()), TemplateKey::check)
    }

    pub(super) fn bytes(&self) -> usize {
        let category = match &self.category {
            Some(OpenWord::Other(category)) => category.len(),
            Some(OpenWord::Known(_)) | None => 0,
        };
        let after = self.after.as_ref().map_or(0, TemplateKey::bytes);
        let language = self.language.as_ref().map_or(0, String::len);
        self.begins_with.len() + category + language + after + LINE
    }
}

impl LanguageAsked {
    fn check(&self) -> Result<(), ReadRefused> {
        check("name", &self.name, 1, TEMPLATE_NAME_CHARS)?;
        check("language", &self.wish, 1, TEMPLATE_LANGUAGE_CHARS)
    }

    pub(super) fn bytes(&self) -> usize {
        let person = self.person.as_ref().map_or(0, String::len);
        self.name.len() + self.wish.len() + person + LINE
    }
}

/// Longer ones are no template's, and would only fill the journal.
fn check(what: &str, text: &str, least: usize, most: usize) -> Result<(), ReadRefused> {
    match (least..=most).contains(&text.chars().count()) {
        true => Ok(()),
        false => Err(ReadRefused::Invalid(format!(
            "{what}: {least} to {most} characters"
        ))),
    }
}

impl TemplatePage {
    pub(super) fn bytes(&self) -> usize {
        self.listed.iter().map(|one| one.key.bytes()).sum()
    }
}

impl TemplateView {
    pub(super) fn bytes(&self) -> usize {
        let Some(shape) = &self.shape else {
            return LINE;
        };
        let names = |names: &[String]| names.iter().map(|name| name.len() + 3).sum::<usize>();
        let cards = shape
            .cards
            .iter()
            .map(|card| names(&card.body) + card.buttons.len() * BUTTON + LINE);
        names(&shape.body) + shape.buttons.len() * BUTTON + cards.sum::<usize>() + 2 * LINE
    }
}

/// A button's word in the journal.
const BUTTON: usize = 20;

type Question<Q, A> = for<'a> fn(&'a dyn ReadSource, &'a Q) -> BoxFuture<'a, Read<A>>;

impl TurnReads {
    pub(in crate::plugin_host) async fn search(
        &self,
        asked: SearchAsked,
    ) -> Result<TemplatePage, ReadRefused> {
        asked.check()?;
        let question: Question<_, _> = |source, asked| source.templates(asked);
        self.once(|told| &mut told.searches, asked, question).await
    }

    pub(in crate::plugin_host) async fn find(
        &self,
        key: TemplateKey,
    ) -> Result<Option<TemplateView>, ReadRefused> {
        key.check()?;
        let question: Question<_, _> = |source, key| source.template(key);
        self.once(|told| &mut told.found, key, question).await
    }

    pub(in crate::plugin_host) async fn language(
        &self,
        asked: LanguageAsked,
    ) -> Result<Option<String>, ReadRefused> {
        asked.check()?;
        let question: Question<_, _> = |source, asked| source.template_language(asked);
        self.once(|told| &mut told.languages, asked, question).await
    }

    /// Asks what no plugin of the turn has asked before.
    async fn once<Q, A>(
        &self,
        list: fn(&mut TemplateAnswers) -> &mut Told<Q, A>,
        asked: Q,
        question: Question<Q, A>,
    ) -> Result<A, ReadRefused>
    where
        Q: Clone + PartialEq + Send + Sync + 'static,
        A: Clone + Send + 'static,
    {
        let mut told = self.templates.lock().await;
        if let Some(answer) = known(list(&mut told), &asked) {
            return Ok(answer?);
        }
        let (source, asking) = (self.source.clone(), asked.clone());
        let answer = self.ask(async move { question(&*source, &asking).await });
        let answer = answer.await;
        list(&mut told).push((asked, answer.clone()));
        Ok(answer?)
    }
}

/// What one plugin has asked, and the templates that it holds handles of.
#[derive(Debug, Default)]
pub(in crate::plugin_host) struct TemplatesSession {
    asked: u32,
    held: Vec<(TemplateKey, TemplateView)>,
}

impl TemplatesSession {
    /// Counts a question, before it is asked.
    pub(in crate::plugin_host) fn count(&mut self) -> Result<(), ReadRefused> {
        self.asked = self.asked.saturating_add(1);
        match self.asked <= TEMPLATE_QUESTIONS {
            true => Ok(()),
            false => Err(ReadRefused::Quota(format!(
                "at most {TEMPLATE_QUESTIONS} questions about templates a turn"
            ))),
        }
    }

    /// Answers the number of its handle.
    pub(in crate::plugin_host) fn hold(&mut self, key: TemplateKey, view: TemplateView) -> u32 {
        self.held.push((key, view));
        // No more than there may be questions.
        self.held.len() as u32 - 1
    }

    pub(in crate::plugin_host) fn held(&self, handle: u32) -> Option<&(TemplateKey, TemplateView)> {
        self.held.get(handle as usize)
    }
}
