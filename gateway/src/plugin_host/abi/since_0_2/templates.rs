//! `templates`: which there are, and what a send of each takes.

use futures::FutureExt;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::bindings::KnownTemplate;
use super::bindings::vestibule::plugin::reads::ReadError;
use super::bindings::vestibule::plugin::templates as wit;
use super::words;
use crate::domain::template::{ButtonShape, CardShape, HeaderShape, TemplateShape, TemplateStatus};
use crate::plugin_host::abi::charge::{Carried, Element, function, waiting_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::reads::{
    LanguageAsked, ReadRefused, SearchAsked, TemplateKey, TemplatePage, TemplateView,
};

type P = (Resource<KnownTemplate>,);

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    let handle = ResourceType::host::<KnownTemplate>();
    to.resource("known-template", handle, |_, _| Ok(()))?;
    wire_questions(to)?;
    function(to, "[method]known-template.key", |state, at: P| {
        Ok((wit::Key::from(held(state, &at)?.0.clone()),))
    })?;
    function(to, "[method]known-template.category", |state, at: P| {
        let category = held(state, &at)?.1.category.clone();
        Ok((words::category(category),))
    })?;
    function(to, "[method]known-template.status", |state, at: P| {
        Ok((wit::Status::from(held(state, &at)?.1.status),))
    })?;
    function(to, "[method]known-template.quality", |state, at: P| {
        let quality = held(state, &at)?.1.quality.clone();
        Ok((words::quality(quality),))
    })?;
    function(to, "[method]known-template.is-read", |state, at: P| {
        Ok((held(state, &at)?.1.shape.is_some(),))
    })?;
    function(to, "[method]known-template.header", |state, at: P| {
        let header = of_shape(state, &at, |shape| wit::Header::from(&shape.header))?;
        Ok((header.unwrap_or(wit::Header::Fixed),))
    })?;
    function(to, "[method]known-template.parameters", |state, at: P| {
        let names = of_shape(state, &at, |shape| shape.body.clone())?;
        Ok((names.unwrap_or_default(),))
    })?;
    function(to, "[method]known-template.buttons", |state, at: P| {
        let buttons = of_shape(state, &at, |shape| buttons(&shape.buttons))?;
        Ok((buttons.unwrap_or_default(),))
    })?;
    function(to, "[method]known-template.cards", |state, at: P| {
        let cards = |shape: &TemplateShape| shape.cards.iter().map(wit::Card::from).collect();
        let cards: Option<Vec<wit::Card>> = of_shape(state, &at, cards)?;
        Ok((cards.unwrap_or_default(),))
    })?;
    function(to, "[method]known-template.has-offer", |state, at: P| {
        let offer = of_shape(state, &at, |shape| shape.offer)?;
        Ok((offer.unwrap_or_default(),))
    })
}

fn wire_questions(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    type Search = (wit::Filter, Option<wit::Key>, u32);
    waiting_function(to, "search", |state, (filter, after, most): Search| {
        async move {
            let page = search(state, asked(filter, after, most)).await;
            Ok((page.map(wit::Page::from).map_err(ReadError::from),))
        }
        .boxed()
    })?;
    waiting_function(to, "find", |state, (key,): (wit::Key,)| {
        async move {
            let found = find(state, TemplateKey::from(key)).await;
            Ok((found.map_err(ReadError::from),))
        }
        .boxed()
    })?;
    waiting_function(
        to,
        "choose-language",
        |state, (name, wish): (String, String)| {
            async move {
                let language = language(state, name, wish).await;
                Ok((language.map_err(ReadError::from),))
            }
            .boxed()
        },
    )
}

async fn search(state: &mut GuestState, asked: SearchAsked) -> Result<TemplatePage, ReadRefused> {
    let reads = state.reads(|grants| grants.templates)?;
    state.templates.count()?;
    reads.search(asked).await
}

async fn find(
    state: &mut GuestState,
    key: TemplateKey,
) -> Result<Option<Resource<KnownTemplate>>, ReadRefused> {
    let reads = state.reads(|grants| grants.templates)?;
    state.templates.count()?;
    let found = reads.find(key.clone()).await?;
    Ok(found.map(|view| Resource::new_own(state.templates.hold(key, view))))
}

async fn language(
    state: &mut GuestState,
    name: String,
    wish: String,
) -> Result<Option<String>, ReadRefused> {
    let reads = state.reads(|grants| grants.templates)?;
    state.templates.count()?;
    let person = state.conversation.language.clone();
    reads.language(LanguageAsked { name, wish, person }).await
}

fn asked(filter: wit::Filter, after: Option<wit::Key>, most: u32) -> SearchAsked {
    SearchAsked {
        begins_with: filter.begins_with,
        category: filter.category.map(words::asked_category),
        language: filter.language,
        after: after.map(TemplateKey::from),
        most,
    }
}

/// Handles are made by `find` alone, so an error is a bug of ours.
fn held<'a>(state: &'a GuestState, at: &P) -> wasmtime::Result<&'a (TemplateKey, TemplateView)> {
    let held = state.templates.held(at.0.rep());
    held.ok_or_else(|| wasmtime::Error::msg("nobody asked for this template"))
}

/// What is told of its looks, if anybody has seen them.
fn of_shape<T>(
    state: &GuestState,
    at: &P,
    tell: impl FnOnce(&TemplateShape) -> T,
) -> wasmtime::Result<Option<T>> {
    let (_, view) = held(state, at)?;
    Ok(view.shape.as_deref().map(tell))
}

impl From<TemplateKey> for wit::Key {
    fn from(key: TemplateKey) -> Self {
        let TemplateKey { name, language } = key;
        Self { name, language }
    }
}

impl From<wit::Key> for TemplateKey {
    fn from(key: wit::Key) -> Self {
        let wit::Key { name, language } = key;
        Self { name, language }
    }
}

impl From<TemplatePage> for wit::Page {
    fn from(page: TemplatePage) -> Self {
        let last = page.listed.last().map(|one| one.key.clone());
        let listed = page.listed.into_iter().map(|one| wit::Listed {
            key: one.key.into(),
            category: words::category(one.category),
            quality: words::quality(one.quality),
        });
        Self {
            listed: listed.collect(),
            next: last.filter(|_| page.more).map(wit::Key::from),
        }
    }
}

impl From<TemplateStatus> for wit::Status {
    fn from(status: TemplateStatus) -> Self {
        match status {
            TemplateStatus::Approved => Self::Approved,
            other => Self::Unsendable(other.word().to_owned()),
        }
    }
}

impl From<&HeaderShape> for wit::Header {
    fn from(header: &HeaderShape) -> Self {
        match header {
            HeaderShape::Fixed => Self::Fixed,
            HeaderShape::Text(name) => Self::Text(name.clone()),
            HeaderShape::Image => Self::Image,
            HeaderShape::Video => Self::Video,
            HeaderShape::Document => Self::Document,
            HeaderShape::Location => Self::Location,
            other @ (HeaderShape::Gif | HeaderShape::Product) => {
                Self::Other(other.word().to_owned())
            }
        }
    }
}

impl From<&CardShape> for wit::Card {
    fn from(card: &CardShape) -> Self {
        Self {
            header: wit::Header::from(&card.header),
            parameters: card.body.clone(),
            buttons: buttons(&card.buttons),
        }
    }
}

fn buttons(shapes: &[ButtonShape]) -> Vec<wit::Button> {
    shapes.iter().copied().map(words::button).collect()
}

impl Element for wit::Button {}
impl Element for wit::Card {}
impl Element for wit::Listed {}

impl Carried for wit::Key {
    fn carried(&self) -> usize {
        self.name.len() + self.language.len()
    }
}

impl Carried for wit::Filter {
    fn carried(&self) -> usize {
        self.begins_with.len() + self.category.carried() + self.language.carried()
    }
}

impl Carried for wit::Listed {
    fn carried(&self) -> usize {
        self.key.carried() + self.category.carried() + self.quality.carried()
    }
}

impl Carried for wit::Page {
    fn carried(&self) -> usize {
        self.listed.carried() + self.next.carried()
    }
}

impl Carried for wit::Status {
    fn carried(&self) -> usize {
        match self {
            Self::Approved => 1,
            Self::Unsendable(word) => word.len(),
        }
    }
}

impl Carried for wit::Header {
    fn carried(&self) -> usize {
        match self {
            Self::Text(name) | Self::Other(name) => name.len(),
            _ => 1,
        }
    }
}

impl Carried for wit::Card {
    fn carried(&self) -> usize {
        self.header.carried() + self.parameters.carried() + self.buttons.carried()
    }
}
