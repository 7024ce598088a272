//! The host inside Wasm: the contract's imports, in this crate's types.

use crate::bindings::host::vestibule::plugin::{
    clock, config, contacts, conversation, effects, http as wire, kv, log, random, reads, refusal,
    replies, templates, types, window,
};
use crate::content::{Content, Purpose};
use crate::http::{Body, HttpError, Part, Request, Response};
use crate::kv::{KvError, Page, Space};
use crate::log::Level;
use crate::{Due, Effect, EffectError, Failure, OptOut, ReadError, Receiver};

pub(crate) use crate::bindings::host::vestibule::plugin::contacts::Contact;
pub(crate) use crate::bindings::host::vestibule::plugin::inbound::{Conversation, Message};
pub(crate) use crate::bindings::host::vestibule::plugin::occasions::{Event, Receipt, Timer};
pub(crate) use crate::bindings::host::vestibule::plugin::templates::KnownTemplate;

type Asked = Result<(), refusal::EffectError>;

pub(crate) fn ask(effect: Effect) -> Result<(), EffectError> {
    Ok(asked(effect)?)
}

fn asked(effect: Effect) -> Asked {
    match effect {
        Effect::Say {
            content,
            quote,
            purpose,
        } => say(content, quote, purpose),
        Effect::React(emoji) => replies::react(&emoji),
        Effect::MarkRead { typing } => replies::mark_read(typing),
        Effect::SetLanguage(language) => effects::set_language(&language),
        Effect::SetAttribute { key, value } => effects::set_attribute(&key, &value),
        Effect::RemoveAttribute(key) => effects::remove_attribute(&key),
        Effect::SetContactAttribute { key, value } => match value {
            Some(value) => effects::set_contact_attribute(&key, &value),
            None => effects::remove_contact_attribute(&key),
        },
        Effect::AddTag(tag) => effects::add_tag(&tag),
        Effect::RemoveTag(tag) => effects::remove_tag(&tag),
        Effect::Note(text) => effects::note(&text),
        Effect::Metric { name, value } => effects::metric(&name, value),
        Effect::Emit { name, fields } => effects::emit(&name, &fields),
        Effect::HandOver { to, summary } => {
            let to = match to {
                Receiver::Queue(name) => effects::Receiver::Queue(name),
                Receiver::Agent(name) => effects::Receiver::Agent(name),
            };
            effects::hand_over(&to, summary.as_deref())
        }
        Effect::Close => effects::close(),
        Effect::SetTimer { name, due, fields } => {
            let due = match due {
                Due::At(moment) => effects::Due::At(moment),
                Due::After(after) => {
                    effects::Due::After(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
                }
            };
            effects::set_timer(&name, due, &fields)
        }
        Effect::CancelTimer(name) => effects::cancel_timer(&name),
        Effect::OptOut(OptOut::Marketing) => effects::opt_out(effects::OptOutScope::Marketing),
        Effect::OptOut(OptOut::All) => effects::opt_out(effects::OptOutScope::All),
        Effect::OptIn { words } => effects::opt_in(&words),
    }
}

fn say(content: Content, quote: bool, purpose: Option<Purpose>) -> Asked {
    if quote {
        replies::quote()?;
    }
    if let Some(purpose) = purpose {
        replies::mean(purpose)?;
    }
    match content {
        Content::Text { body, preview } => replies::send_text(&body, preview),
        Content::Image { file, caption } => replies::send_image(&file, caption.as_deref()),
        Content::Video { file, caption } => replies::send_video(&file, caption.as_deref()),
        Content::Audio { file, voice } => replies::send_audio(&file, voice),
        Content::Document { document, caption } => {
            replies::send_document(&document, caption.as_deref())
        }
        Content::Sticker(file) => replies::send_sticker(&file),
        Content::Location(place) => replies::send_location(&place),
        Content::Contacts(cards) => replies::send_contacts(&cards),
        Content::Buttons {
            header,
            body,
            footer,
            buttons,
        } => replies::send_buttons(header.as_ref(), &body, footer.as_deref(), &buttons),
        Content::List {
            header,
            body,
            footer,
            button,
            sections,
        } => replies::send_rows(
            header.as_deref(),
            &body,
            footer.as_deref(),
            &button,
            &sections,
        ),
        Content::Link(link) => replies::send_link(&link),
        Content::Flow(flow) => replies::send_flow(&flow),
        Content::AskLocation { body } => replies::ask_location(&body),
        Content::AskAddress(form) => replies::ask_address(&form),
        Content::AskPhone { body } => replies::ask_phone(&body),
        Content::AskToCall { body } => replies::ask_to_call(&body),
        Content::CallButton(button) => replies::send_call_button(&button),
        Content::Product(product) => replies::send_product(&product),
        Content::ProductList(list) => replies::send_product_list(&list),
        Content::Catalog(catalog) => replies::send_catalog(&catalog),
        Content::Carousel { body, cards } => replies::send_carousel(&body, &cards),
        Content::ProductCarousel(carousel) => replies::send_product_carousel(&carousel),
        Content::Template(template) => replies::send_template(&template),
    }
}

pub(crate) fn log(level: Level, line: &str) {
    let level = match level {
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, line);
}

pub(crate) fn now() -> u64 {
    clock::now()
}

pub(crate) fn random_u64() -> u64 {
    random::next_u64()
}

pub(crate) fn random_bytes(len: u32) -> Vec<u8> {
    random::bytes(len)
}

pub(crate) fn config_get(key: &str) -> Option<String> {
    config::get(key)
}

pub(crate) fn config_all() -> String {
    config::all()
}

pub(crate) fn kv_get(space: Space, key: &str) -> Result<Option<Vec<u8>>, KvError> {
    Ok(kv::get(space.into(), key)?)
}

pub(crate) fn kv_set(
    space: Space,
    key: &str,
    value: &[u8],
    ttl: Option<u64>,
) -> Result<(), KvError> {
    Ok(kv::set(space.into(), key, value, ttl)?)
}

pub(crate) fn kv_delete(space: Space, key: &str) -> Result<(), KvError> {
    Ok(kv::delete(space.into(), key)?)
}

pub(crate) fn kv_add(space: Space, key: &str, delta: i64) -> Result<(), KvError> {
    Ok(kv::add(space.into(), key, delta)?)
}

pub(crate) fn kv_list(
    space: Space,
    prefix: &str,
    after: Option<&str>,
    most: u32,
) -> Result<Page, KvError> {
    let page = kv::list_keys(space.into(), prefix, after, most)?;
    Ok(Page {
        keys: page.keys,
        next: page.next,
    })
}

pub(crate) fn window_now() -> Result<window::State, ReadError> {
    Ok(window::now()?)
}

pub(crate) fn window_price() -> Result<window::PriceClass, ReadError> {
    Ok(window::price()?)
}

pub(crate) fn contact() -> Result<Contact, ReadError> {
    Ok(contacts::current()?)
}

pub(crate) fn recent(most: u32) -> Result<Vec<conversation::Entry>, ReadError> {
    Ok(conversation::recent(most)?)
}

pub(crate) fn owned_by() -> Result<conversation::Ownership, ReadError> {
    Ok(conversation::owned_by()?)
}

pub(crate) fn search_templates(
    filter: &templates::Filter,
    after: Option<&templates::Key>,
    most: u32,
) -> Result<templates::Page, ReadError> {
    Ok(templates::search(filter, after, most)?)
}

pub(crate) fn find_template(key: &templates::Key) -> Result<Option<KnownTemplate>, ReadError> {
    Ok(templates::find(key)?)
}

pub(crate) fn choose_language(name: &str, language: &str) -> Result<Option<String>, ReadError> {
    Ok(templates::choose_language(name, language)?)
}

impl From<reads::ReadError> for ReadError {
    fn from(error: reads::ReadError) -> Self {
        match error {
            reads::ReadError::Denied => Self::Denied,
            reads::ReadError::Invalid(what) => Self::Invalid(what),
            reads::ReadError::Quota(what) => Self::Quota(what),
            reads::ReadError::Unavailable(why) => Self::Unavailable(why),
            reads::ReadError::Other(why) => Self::Other(why),
        }
    }
}

impl From<Space> for kv::Space {
    fn from(space: Space) -> Self {
        match space {
            Space::Tenant => Self::Tenant,
            Space::Contact => Self::Contact,
            Space::Conversation => Self::Conversation,
        }
    }
}

impl From<refusal::EffectError> for EffectError {
    fn from(error: refusal::EffectError) -> Self {
        match error {
            refusal::EffectError::Invalid(what) => Self::Invalid(what),
            refusal::EffectError::Quota(what) => Self::Quota(what),
            refusal::EffectError::Denied(what) => Self::Denied(what),
            refusal::EffectError::Other(what) => Self::Other(what),
        }
    }
}

impl From<kv::KvError> for KvError {
    fn from(error: kv::KvError) -> Self {
        match error {
            kv::KvError::Denied => Self::Denied,
            kv::KvError::Quota(what) => Self::Quota(what),
            kv::KvError::Invalid(what) => Self::Invalid(what),
            kv::KvError::Unavailable(why) => Self::Unavailable(why),
            kv::KvError::Other(why) => Self::Other(why),
        }
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Reject(why) => Self::Reject(why),
            Failure::Retry(after) => {
                Self::Retry(u32::try_from(after.as_millis()).unwrap_or(u32::MAX))
            }
            Failure::Fault(why) => Self::Fault(why),
        }
    }
}

pub(crate) fn http_send(request: Request) -> Result<Response, HttpError> {
    let header = |(name, value)| wire::Header { name, value };
    let member = |(at, value): (String, Vec<Part>)| wire::Member { at, value };
    let request = wire::Request {
        method: request.method,
        url: request.url,
        headers: request.headers.into_iter().map(header).collect(),
        body: request.body.map(|body| match body {
            Body::Bytes(bytes) => wire::Body::Bytes(bytes),
            Body::Json(json, members) => wire::Body::Json(wire::Document {
                json,
                members: members.into_iter().map(member).collect(),
            }),
        }),
        timeout: request
            .timeout
            .map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
    };
    let answer = wire::send(&request)?;
    let headers = answer.headers.into_iter();
    Ok(Response {
        status: answer.status,
        headers: headers.map(|header| (header.name, header.value)).collect(),
        body: answer.body,
    })
}

impl From<wire::HttpError> for HttpError {
    fn from(error: wire::HttpError) -> Self {
        match error {
            wire::HttpError::Denied(why) => Self::Denied(why),
            wire::HttpError::Invalid(what) => Self::Invalid(what),
            wire::HttpError::Quota(what) => Self::Quota(what),
            wire::HttpError::Absent(what) => Self::Absent(what),
            wire::HttpError::Timeout => Self::Timeout,
            wire::HttpError::TooLarge => Self::TooLarge,
            wire::HttpError::Unreachable(why) => Self::Unreachable(why),
            wire::HttpError::Unavailable(why) => Self::Unavailable(why),
            wire::HttpError::Other(why) => Self::Other(why),
        }
    }
}
