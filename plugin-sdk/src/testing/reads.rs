//! What a scripted customer lets a plugin read: the window, who they are, what was said, which templates there are.

use super::backend::Conversation;
use super::incoming::Incoming;
use super::templates::Templates;
use crate::contacts::Consent;
use crate::content::Content;
use crate::history::{Entry, Owner, Ownership, Speaker};
use crate::message::{Kind, MediaKind};
use crate::window::{PriceClass, State};
use crate::{Field, Purpose, ReadError, Value};

/// What tests say of the person; all else follows from what happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) error: Option<ReadError>,
    pub(crate) window: Option<State>,
    pub(crate) price: Option<PriceClass>,
    pub(crate) key: Option<String>,
    pub(crate) refused: Vec<(Purpose, String)>,
    pub(crate) templates: Templates,
}

/// What has happened in one conversation.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    /// The oldest first.
    pub(crate) said: Vec<Entry>,
    pub(crate) heard_at: Option<u64>,
    pub(crate) ownership: Ownership,
}

/// What one turn may read.
#[derive(Debug, Clone)]
pub(crate) struct Reads {
    pub(crate) script: Script,
    pub(crate) past: Past,
    pub(crate) now: u64,
    /// As the hooks so far left it.
    pub(crate) talk: Conversation,
}

/// How long a message keeps the window open: 24 hours, and 5 minutes in which clocks may differ.
const WINDOW: u64 = (24 * 60 + 5) * 60_000;
/// What the contract gives at most.
const ENTRIES: u32 = 50;
const BYTES: usize = 32 << 10;

impl Past {
    pub(crate) fn new() -> Self {
        let ownership = Ownership {
            owner: Owner::Bot,
            since: None,
        };
        Self {
            said: Vec::new(),
            heard_at: None,
            ownership,
        }
    }

    pub(crate) fn heard(&mut self, said: &Incoming, token: String, at: u64) {
        self.said.push(Entry {
            who: Speaker::Person,
            kind: kind_of(said).to_owned(),
            text: match &said.reaction {
                Some(reaction) => reaction.emoji.clone().unwrap_or_default(),
                None => said.text.clone(),
            },
            at,
            token: Some(token),
        });
    }

    pub(crate) fn answered(&mut self, content: &Content, at: u64) {
        let (kind, text) = words_of(content);
        let number = self.said.len();
        self.said.push(Entry {
            who: Speaker::Bot,
            kind: kind.to_owned(),
            text: text.to_owned(),
            at,
            token: Some(format!("msg_out_{number}")),
        });
    }
}

impl Reads {
    /// What may be asked of templates, and the language that the conversation is held in.
    pub(crate) fn templates(&mut self) -> Result<(&mut Templates, Option<&str>), ReadError> {
        self.allowed()?;
        let language = self.talk.language.as_deref();
        Ok((&mut self.script.templates, language))
    }

    fn allowed(&self) -> Result<(), ReadError> {
        self.script.error.clone().map_or(Ok(()), Err)
    }

    pub(crate) fn window(&self) -> Result<State, ReadError> {
        self.allowed()?;
        let until = self.past.heard_at.map(|at| at + WINDOW);
        let state = match until {
            Some(until) if self.now < until => State::Open(until),
            _ => State::Closed,
        };
        Ok(self.script.window.clone().unwrap_or(state))
    }

    pub(crate) fn price(&self) -> Result<PriceClass, ReadError> {
        let class = match self.window()? {
            State::Open(_) => PriceClass::Service,
            State::Closed => PriceClass::ByCategory,
            State::Unknown | State::Other(_) => PriceClass::Unknown,
        };
        Ok(self.script.price.clone().unwrap_or(class))
    }

    pub(crate) fn contact(&self) -> Result<Contact, ReadError> {
        self.allowed()?;
        Ok(Contact {
            talk: self.talk.clone(),
            key: self.script.key.clone(),
            refused: self.script.refused.clone(),
        })
    }

    pub(crate) fn recent(&self, most: u32) -> Result<Vec<Entry>, ReadError> {
        self.allowed()?;
        if !(1..=ENTRIES).contains(&most) {
            return Err(ReadError::Invalid(format!("most: 1 to {ENTRIES}")));
        }
        let mut room = BYTES;
        let fits = |entry: &&Entry| {
            let left = room.checked_sub(entry.text.len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        let newest = self.past.said.iter().rev().take_while(fits);
        Ok(newest.take(most as usize).cloned().collect())
    }

    pub(crate) fn owned_by(&self) -> Result<Ownership, ReadError> {
        self.allowed()?;
        Ok(self.past.ownership.clone())
    }
}

/// The scripted person.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    talk: Conversation,
    key: Option<String>,
    refused: Vec<(Purpose, String)>,
}

impl Contact {
    pub(crate) fn id(&self) -> String {
        self.talk.contact()
    }
    pub(crate) fn external_key(&self) -> Option<String> {
        self.key.clone()
    }
    pub(crate) fn language(&self) -> Option<String> {
        self.talk.language()
    }
    pub(crate) fn attribute(&self, name: &str) -> Option<Value> {
        self.talk.contact_attribute(name)
    }
    pub(crate) fn attributes(&self) -> Vec<Field> {
        let all = self.talk.contact_attributes.iter();
        all.map(|(name, value)| Field::new(name, value.clone()))
            .collect()
    }
    pub(crate) fn consent(&self, purpose: Purpose) -> Consent {
        let why = self.refused.iter().find(|(other, _)| *other == purpose);
        why.map_or(Consent::Allowed, |(_, why)| Consent::Refused(why.clone()))
    }
}

/// As the gateway names it.
fn kind_of(said: &Incoming) -> &'static str {
    match (said.kind, &said.media) {
        (Kind::Media, Some(media)) => match media.kind {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
            MediaKind::Document => "document",
            MediaKind::Sticker => "sticker",
            MediaKind::Other(_) => "other",
        },
        (Kind::Text, _) => "text",
        (Kind::Button, _) => "button_reply",
        (Kind::ListChoice, _) => "list_reply",
        (Kind::Media, None) => "image",
        (Kind::Reaction, _) => "reaction",
        (Kind::Location, _) => "location",
        (Kind::Contacts, _) => "contacts",
        (Kind::Order, _) => "order",
        (Kind::Form, _) => "flow_reply",
        (Kind::CallPermission, _) => "call_permission",
        (Kind::Welcome, _) => "request_welcome",
        (Kind::Unsupported, _) => "unsupported",
        (Kind::Other, _) => "other",
    }
}

/// The gateway's word of what is said, and its words.
fn words_of(content: &Content) -> (&'static str, &str) {
    fn some(text: &Option<String>) -> &str {
        text.as_deref().unwrap_or("")
    }
    match content {
        Content::Text { body, .. } => ("text", body),
        Content::Image { caption, .. } => ("image", some(caption)),
        Content::Video { caption, .. } => ("video", some(caption)),
        Content::Audio { .. } => ("audio", ""),
        Content::Document { caption, .. } => ("document", some(caption)),
        Content::Sticker(_) => ("sticker", ""),
        Content::Location(place) => ("location", some(&place.name)),
        Content::Contacts(_) => ("contacts", ""),
        Content::Buttons { body, .. } => ("buttons", body),
        Content::List { body, .. } => ("list", body),
        Content::Link(link) => ("cta_url", &link.body),
        Content::Flow(flow) => ("flow", &flow.body),
        Content::AskLocation { body } => ("location_request_message", body),
        Content::AskAddress(form) => ("address_message", &form.body),
        Content::AskPhone { body } => ("request_contact_info", body),
        Content::AskToCall { body } => ("call_permission_request", body),
        Content::CallButton(button) => ("voice_call", &button.body),
        Content::Product(product) => ("product", some(&product.body)),
        Content::ProductList(list) => ("product_list", &list.body),
        Content::Catalog(catalog) => ("catalog_message", &catalog.body),
        Content::Carousel { body, .. } => ("carousel", body),
        Content::ProductCarousel(carousel) => ("product_carousel", &carousel.body),
        Content::Template(_) => ("template", ""),
    }
}
