//! Records of `replies` as the domain's content, and what each carries. Nothing is judged here: the domain does.

use serde_json::{Map, Value};

use super::bindings::vestibule::plugin::replies as wit;
use super::values::{meant_day, meant_fields, timestamp};

use crate::domain::outbound::{
    AddressMessage, Audio, Captioned, CardEmail, CardHeader, CardName, CardOrganisation, CardPhone,
    CardUrl, Carousel, CarouselCard, CatalogMessage, ContactCard, CtaUrl, Document, Flow, FlowMode,
    FlowStart, Header, HeaderText, Latitude, LimitedTimeOffer, ListRow, ListSection, Longitude,
    Media, MediaSource, Place, Product, ProductCarousel, ProductList, ProductSection, ReplyButton,
    TemplateButton, TemplateCard, TemplateContent, TemplateHeader, TemplateParameter, VoiceCall,
};
use crate::domain::{DraftClass, OutboundContent};
use crate::plugin_host::abi::charge::{Carried, Element, flat};

impl From<wit::File> for MediaSource {
    fn from(file: wit::File) -> Self {
        match file {
            wit::File::Handle(id) => Self::Id(id),
            wit::File::Link(link) => Self::Link(link),
        }
    }
}

pub(super) fn media(file: wit::File) -> Media {
    let source = file.into();
    Media { source }
}

pub(super) fn captioned(file: wit::File, caption: Option<String>) -> Captioned {
    let source = file.into();
    Captioned { source, caption }
}

pub(super) fn audio(file: wit::File, voice: bool) -> Audio {
    let source = file.into();
    Audio { source, voice }
}

pub(super) fn document(document: wit::Document, caption: Option<String>) -> Document {
    Document {
        source: document.file.into(),
        caption,
        filename: document.filename,
    }
}

pub(super) fn header(header: wit::Header) -> Header {
    match header {
        wit::Header::Text(text) => Header::Text(HeaderText { text }),
        wit::Header::Image(file) => Header::Image(media(file)),
        wit::Header::Video(file) => Header::Video(media(file)),
        wit::Header::Document(file) => Header::Document(document(file, None)),
    }
}

impl From<wit::Button> for ReplyButton {
    fn from(button: wit::Button) -> Self {
        let wit::Button { id, title } = button;
        Self { id, title }
    }
}

impl From<wit::Section> for ListSection {
    fn from(section: wit::Section) -> Self {
        Self {
            title: section.title,
            rows: section.rows.into_iter().map(ListRow::from).collect(),
        }
    }
}

impl From<wit::Row> for ListRow {
    fn from(row: wit::Row) -> Self {
        let wit::Row {
            id,
            title,
            description,
        } = row;
        Self {
            id,
            title,
            description,
        }
    }
}

pub(super) fn place(place: wit::Place) -> Result<Place, String> {
    Ok(Place {
        latitude: Latitude::try_from(place.latitude).map_err(|why| format!("latitude: {why}"))?,
        longitude: Longitude::try_from(place.longitude)
            .map_err(|why| format!("longitude: {why}"))?,
        name: place.name,
        address: place.address,
    })
}

pub(super) fn cards(cards: Vec<wit::Card>) -> Result<OutboundContent, String> {
    let contacts: Result<Vec<_>, _> = cards.into_iter().map(card).collect();
    contacts.map(|contacts| OutboundContent::Contacts { contacts })
}

fn card(card: wit::Card) -> Result<ContactCard, String> {
    let phone = |phone| CardPhone {
        phone: Some(phone),
        ..CardPhone::default()
    };
    let email = |email| CardEmail {
        email: Some(email),
        ..CardEmail::default()
    };
    let url = |url| CardUrl {
        url: Some(url),
        ..CardUrl::default()
    };
    let org = CardOrganisation {
        company: card.company,
        title: card.title,
        ..CardOrganisation::default()
    };
    Ok(ContactCard {
        name: CardName {
            first_name: Some(card.name.clone()),
            formatted_name: card.name,
            ..CardName::default()
        },
        phones: card.phones.into_iter().map(phone).collect(),
        emails: card.emails.into_iter().map(email).collect(),
        addresses: Vec::new(),
        urls: card.urls.into_iter().map(url).collect(),
        org: (org != CardOrganisation::default()).then_some(org),
        birthday: match card.birthday {
            Some(day) => Some(meant_day(day)?.to_string()),
            None => None,
        },
    })
}

pub(super) fn link(link: wit::Link) -> OutboundContent {
    OutboundContent::CtaUrl(Box::new(CtaUrl {
        header: link.header.map(header),
        body: link.body,
        footer: link.footer,
        display_text: link.title,
        url: link.url,
    }))
}

pub(super) fn flow(flow: wit::Flow) -> Result<OutboundContent, String> {
    let data: Map<String, Value> = meant_fields(flow.fields)?
        .into_iter()
        .map(|(name, value)| (name, value.plain()))
        .collect();
    if flow.screen.is_none() && !data.is_empty() {
        return Err("fields: they go with a `screen`".to_owned());
    }
    Ok(OutboundContent::Flow(Box::new(Flow {
        header: flow.header.map(header),
        body: flow.body,
        footer: flow.footer,
        flow_id: flow.id,
        flow_token: flow.token,
        cta: flow.title,
        mode: FlowMode::Published,
        start: flow.screen.map(|screen| FlowStart { screen, data }),
    })))
}

pub(super) fn call_button(button: wit::CallButton) -> OutboundContent {
    OutboundContent::VoiceCall(Box::new(VoiceCall {
        body: button.body,
        display_text: button.title,
        ttl_minutes: button.minutes,
        payload: button.payload,
    }))
}

pub(super) fn carousel(body: String, cards: Vec<wit::CarouselCard>) -> OutboundContent {
    let card = |card: wit::CarouselCard| CarouselCard {
        header: header(card.header),
        body: card.body,
        display_text: card.title,
        url: card.url,
    };
    let cards = cards.into_iter().map(card).collect();
    OutboundContent::Carousel(Carousel { body, cards })
}

pub(super) fn address_form(form: wit::AddressForm) -> OutboundContent {
    let named = |all: Vec<wit::NamedText>| {
        let pair = |named: wit::NamedText| (named.name, named.text);
        all.into_iter().map(pair).collect()
    };
    OutboundContent::AddressMessage(Box::new(AddressMessage {
        body: form.body,
        country: form.country,
        values: named(form.known),
        saved_addresses: Vec::new(),
        validation_errors: named(form.errors),
    }))
}

pub(super) fn product(product: wit::Product) -> OutboundContent {
    OutboundContent::Product(Box::new(Product {
        body: product.body,
        footer: product.footer,
        catalog_id: product.catalog,
        product_retailer_id: product.retailer_id,
    }))
}

pub(super) fn product_list(list: wit::ProductList) -> OutboundContent {
    let section = |section: wit::ProductSection| ProductSection {
        title: section.title,
        products: section.products,
    };
    OutboundContent::ProductList(Box::new(ProductList {
        header: list.header,
        body: list.body,
        footer: list.footer,
        catalog_id: list.catalog,
        sections: list.sections.into_iter().map(section).collect(),
    }))
}

pub(super) fn catalog(catalog: wit::Catalog) -> OutboundContent {
    OutboundContent::CatalogMessage(Box::new(CatalogMessage {
        body: catalog.body,
        footer: catalog.footer,
        thumbnail_product_retailer_id: catalog.thumbnail,
    }))
}

pub(super) fn product_carousel(carousel: wit::ProductCarousel) -> OutboundContent {
    OutboundContent::ProductCarousel(Box::new(ProductCarousel {
        body: carousel.body,
        catalog_id: carousel.catalog,
        products: carousel.products,
    }))
}

pub(super) fn template(template: wit::Template) -> Result<TemplateContent, String> {
    Ok(TemplateContent {
        name: template.name,
        language: template.language,
        parameters: parameters(template.parameters),
        header: template.header.map(template_header).transpose()?,
        buttons: template.buttons.into_iter().map(button).collect(),
        cards: template.cards.into_iter().map(template_card).collect(),
        limited_time_offer: template.offer_ends.map(|ends| LimitedTimeOffer {
            expires_at: timestamp(ends),
        }),
        marketing_messages: None,
        topic: None,
    })
}

fn parameters(all: Vec<wit::Parameter>) -> Vec<TemplateParameter> {
    all.into_iter().map(parameter).collect()
}

fn parameter(parameter: wit::Parameter) -> TemplateParameter {
    TemplateParameter {
        name: parameter.name,
        default: parameter.fallback,
        ..TemplateParameter::positional(parameter.value)
    }
}

fn template_header(header: wit::TemplateHeader) -> Result<TemplateHeader, String> {
    Ok(match header {
        wit::TemplateHeader::Text(text) => TemplateHeader::Text(parameter(text)),
        wit::TemplateHeader::Image(file) => TemplateHeader::Image(media(file)),
        wit::TemplateHeader::Video(file) => TemplateHeader::Video(media(file)),
        wit::TemplateHeader::Document(file) => TemplateHeader::Document(document(file, None)),
        wit::TemplateHeader::Location(at) => TemplateHeader::Location(place(at)?),
    })
}

fn button(button: wit::TemplateButton) -> TemplateButton {
    match button {
        wit::TemplateButton::QuickReply((index, payload)) => {
            TemplateButton::QuickReply { index, payload }
        }
        wit::TemplateButton::UrlSuffix((index, suffix)) => TemplateButton::Url { index, suffix },
        wit::TemplateButton::CopyCode((index, coupon_code)) => {
            TemplateButton::CopyCode { index, coupon_code }
        }
        wit::TemplateButton::OneTimeCode(index) => TemplateButton::OneTimeCode { index },
        wit::TemplateButton::Flow((index, flow_token)) => TemplateButton::Flow {
            index,
            flow_token,
            data: Map::new(),
        },
    }
}

fn template_card(card: wit::TemplateCard) -> TemplateCard {
    TemplateCard {
        header: match card.header {
            wit::CardHeader::Image(file) => CardHeader::Image(media(file)),
            wit::CardHeader::Video(file) => CardHeader::Video(media(file)),
        },
        parameters: parameters(card.parameters),
        buttons: card.buttons.into_iter().map(button).collect(),
    }
}

/// What records carry: the sum of their parts.
macro_rules! carries {
    ($($record:ident { $($part:ident),* })*) => {
        $(impl Carried for wit::$record {
            fn carried(&self) -> usize {
                size_of::<u64>() $(+ self.$part.carried())*
            }
        })*
    };
}

carries! {
    Document { file, filename }
    Button { id, title }
    Row { id, title, description }
    Section { title, rows }
    Place { name, address }
    Card { name, phones, emails, urls, company, title }
    Link { header, body, footer, title, url }
    Flow { header, body, footer, id, token, title, screen, fields }
    AddressForm { body, country, known, errors }
    NamedText { name, text }
    CallButton { body, title, payload }
    Product { body, footer, catalog, retailer_id }
    ProductSection { title, products }
    ProductList { header, body, footer, catalog, sections }
    Catalog { body, footer, thumbnail }
    ProductCarousel { body, catalog, products }
    CarouselCard { header, body, title, url }
    Parameter { name, value, fallback }
    TemplateCard { header, parameters, buttons }
    Template { name, language, parameters, header, buttons, cards }
}

impl Carried for wit::File {
    fn carried(&self) -> usize {
        match self {
            Self::Handle(text) | Self::Link(text) => text.len(),
        }
    }
}

impl Carried for wit::Header {
    fn carried(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Image(file) | Self::Video(file) => file.carried(),
            Self::Document(document) => document.carried(),
        }
    }
}

impl Carried for wit::TemplateHeader {
    fn carried(&self) -> usize {
        match self {
            Self::Text(text) => text.carried(),
            Self::Image(file) | Self::Video(file) => file.carried(),
            Self::Document(document) => document.carried(),
            Self::Location(place) => place.carried(),
        }
    }
}

impl Carried for wit::CardHeader {
    fn carried(&self) -> usize {
        match self {
            Self::Image(file) | Self::Video(file) => file.carried(),
        }
    }
}

impl Carried for wit::TemplateButton {
    fn carried(&self) -> usize {
        match self {
            Self::OneTimeCode(_) => 1,
            Self::QuickReply((_, text))
            | Self::UrlSuffix((_, text))
            | Self::CopyCode((_, text))
            | Self::Flow((_, text)) => text.len(),
        }
    }
}

flat!(wit::Purpose);

impl From<wit::Purpose> for DraftClass {
    fn from(purpose: wit::Purpose) -> Self {
        match purpose {
            wit::Purpose::Reply => Self::Reply,
            wit::Purpose::Utility => Self::Utility,
            wit::Purpose::Marketing => Self::Marketing,
            wit::Purpose::Authentication => Self::Authentication,
        }
    }
}

/// What lists are made of.
macro_rules! elements {
    ($($record:ident)*) => {
        $(impl Element for wit::$record {})*
    };
}

elements! {
    Button Row Section Card NamedText ProductSection CarouselCard Parameter TemplateButton TemplateCard
}
