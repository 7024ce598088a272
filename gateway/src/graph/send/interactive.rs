//! The `interactive` object: header, body, footer and an action (facts §4.2).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::OutboundContent;
use crate::domain::outbound::{
    AddressMessage, Carousel, CarouselCard, CatalogMessage, CtaUrl, Document, Flow, FlowMode,
    FlowStart, Header, ListRow, ListSection, Media, Product, ProductCarousel, ProductList,
    ProductSection, ReplyButton, SavedAddress, VoiceCall,
};

#[derive(Serialize)]
pub(super) struct Interactive<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Above<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Words<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Words<'a>>,
    action: Action<'a>,
}

#[derive(Serialize)]
struct Words<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Above<'a> {
    Text { text: &'a str },
    Image { image: &'a Media },
    Video { video: &'a Media },
    Document { document: &'a Document },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Action<'a> {
    Buttons {
        buttons: Vec<Button<'a>>,
    },
    List {
        button: &'a str,
        sections: Vec<Section<'a>>,
    },
    Named {
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        parameters: Option<Parameters<'a>>,
    },
    Product {
        catalog_id: &'a str,
        product_retailer_id: &'a str,
    },
    Products {
        catalog_id: &'a str,
        sections: Vec<Products<'a>>,
    },
    Cards {
        cards: Vec<Card<'a>>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Parameters<'a> {
    Url {
        display_text: &'a str,
        url: &'a str,
    },
    Flow(FlowParameters<'a>),
    Address {
        country: &'a str,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        values: &'a BTreeMap<String, String>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        saved_addresses: &'a [SavedAddress],
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        validation_errors: &'a BTreeMap<String, String>,
    },
    Call {
        display_text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl_minutes: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<&'a str>,
    },
    Catalog {
        thumbnail_product_retailer_id: &'a str,
    },
}

#[derive(Serialize)]
struct FlowParameters<'a> {
    flow_message_version: &'static str,
    flow_id: &'a str,
    flow_token: &'a str,
    flow_cta: &'a str,
    flow_action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_action_payload: Option<Screen<'a>>,
    mode: &'static str,
}

#[derive(Serialize)]
struct Screen<'a> {
    screen: &'a str,
    /// An empty object is refused.
    #[serde(skip_serializing_if = "Map::is_empty")]
    data: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Button<'a> {
    r#type: &'static str,
    reply: &'a ReplyButton,
}

#[derive(Serialize)]
struct Section<'a> {
    /// Required with more than one section, and refused when empty (facts §4.3).
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'a str,
    rows: &'a [ListRow],
}

/// A section of products, here and in a template's button.
#[derive(Serialize)]
pub(super) struct Products<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'a str,
    product_items: Vec<ProductItem<'a>>,
}

#[derive(Serialize)]
struct ProductItem<'a> {
    product_retailer_id: &'a str,
}

#[derive(Serialize)]
struct Card<'a> {
    card_index: usize,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Above<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Words<'a>>,
    action: Action<'a>,
}

impl<'a> Interactive<'a> {
    /// `content` must be interactive: `send` writes the other kinds.
    pub(super) fn of(content: &'a OutboundContent) -> Self {
        match content {
            OutboundContent::Buttons {
                header,
                body,
                footer,
                buttons,
            } => Self::new("button", body, reply_buttons(buttons))
                .under(header.as_deref())
                .over(footer.as_deref()),
            OutboundContent::List {
                header,
                body,
                footer,
                button,
                sections,
            } => Self {
                header: header.as_deref().map(|text| Above::Text { text }),
                ..Self::new("list", body, list(button, sections)).over(footer.as_deref())
            },
            OutboundContent::CtaUrl(button) => Self::cta_url(button),
            OutboundContent::Flow(flow) => Self::flow(flow),
            OutboundContent::AddressMessage(address) => Self::address(address),
            OutboundContent::VoiceCall(call) => Self::voice_call(call),
            OutboundContent::Product(product) => Self::product(product),
            OutboundContent::ProductList(list) => Self::product_list(list),
            OutboundContent::CatalogMessage(catalog) => Self::catalog(catalog),
            OutboundContent::Carousel(carousel) => Self::carousel(carousel),
            OutboundContent::ProductCarousel(carousel) => Self::product_carousel(carousel),
            OutboundContent::LocationRequestMessage { body } => Self::new(
                "location_request_message",
                body,
                named("send_location", None),
            ),
            OutboundContent::RequestContactInfo { body } => {
                let action = named("request_contact_info", None);
                Self::new("request_contact_info", body, action)
            }
            OutboundContent::CallPermissionRequest { body } => {
                let action = named("call_permission_request", None);
                Self::new("call_permission_request", body, action)
            }
            other => unreachable!("{} is not interactive", other.kind()),
        }
    }

    fn new(kind: &'static str, body: &'a str, action: Action<'a>) -> Self {
        Self {
            r#type: kind,
            header: None,
            body: Some(Words { text: body }),
            footer: None,
            action,
        }
    }

    fn under(mut self, header: Option<&'a Header>) -> Self {
        self.header = header.map(above);
        self
    }

    fn over(mut self, footer: Option<&'a str>) -> Self {
        self.footer = footer.map(|text| Words { text });
        self
    }

    fn cta_url(button: &'a CtaUrl) -> Self {
        let action = open(&button.display_text, &button.url);
        Self::new("cta_url", &button.body, action)
            .under(button.header.as_ref())
            .over(button.footer.as_deref())
    }

    fn flow(flow: &'a Flow) -> Self {
        let action = named("flow", Some(Parameters::Flow(flow_parameters(flow))));
        Self::new("flow", &flow.body, action)
            .under(flow.header.as_ref())
            .over(flow.footer.as_deref())
    }

    fn address(address: &'a AddressMessage) -> Self {
        let parameters = Parameters::Address {
            country: &address.country,
            values: &address.values,
            saved_addresses: &address.saved_addresses,
            validation_errors: &address.validation_errors,
        };
        let action = named("address_message", Some(parameters));
        Self::new("address_message", &address.body, action)
    }

    fn voice_call(call: &'a VoiceCall) -> Self {
        let parameters = Parameters::Call {
            display_text: &call.display_text,
            ttl_minutes: call.ttl_minutes,
            payload: call.payload.as_deref(),
        };
        let action = named("voice_call", Some(parameters));
        Self::new("voice_call", &call.body, action)
    }

    fn product(product: &'a Product) -> Self {
        let action = Action::Product {
            catalog_id: &product.catalog_id,
            product_retailer_id: &product.product_retailer_id,
        };
        Self {
            body: product.body.as_deref().map(|text| Words { text }),
            ..Self::new("product", "", action).over(product.footer.as_deref())
        }
    }

    fn product_list(list: &'a ProductList) -> Self {
        let action = Action::Products {
            catalog_id: &list.catalog_id,
            sections: products(&list.sections),
        };
        let header = Above::Text { text: &list.header };
        Self {
            header: Some(header),
            ..Self::new("product_list", &list.body, action).over(list.footer.as_deref())
        }
    }

    fn catalog(catalog: &'a CatalogMessage) -> Self {
        let thumbnail = catalog.thumbnail_product_retailer_id.as_deref();
        let parameters = thumbnail.map(|id| Parameters::Catalog {
            thumbnail_product_retailer_id: id,
        });
        let action = named("catalog_message", parameters);
        Self::new("catalog_message", &catalog.body, action).over(catalog.footer.as_deref())
    }

    fn carousel(carousel: &'a Carousel) -> Self {
        let cards = (0..).zip(&carousel.cards).map(card).collect();
        Self::new("carousel", &carousel.body, Action::Cards { cards })
    }

    fn product_carousel(carousel: &'a ProductCarousel) -> Self {
        let card = |(card_index, product): (usize, &'a String)| Card {
            card_index,
            r#type: "product",
            header: None,
            body: None,
            action: Action::Product {
                catalog_id: &carousel.catalog_id,
                product_retailer_id: product,
            },
        };
        let cards = (0..).zip(&carousel.products).map(card).collect();
        Self::new("carousel", &carousel.body, Action::Cards { cards })
    }
}

fn above(header: &Header) -> Above<'_> {
    match header {
        Header::Text(header) => Above::Text { text: &header.text },
        Header::Image(image) => Above::Image { image },
        Header::Video(video) => Above::Video { video },
        Header::Document(document) => Above::Document { document },
    }
}

fn named<'a>(name: &'static str, parameters: Option<Parameters<'a>>) -> Action<'a> {
    Action::Named { name, parameters }
}

fn open<'a>(display_text: &'a str, url: &'a str) -> Action<'a> {
    named("cta_url", Some(Parameters::Url { display_text, url }))
}

fn flow_parameters(flow: &Flow) -> FlowParameters<'_> {
    FlowParameters {
        flow_message_version: "3",
        flow_id: &flow.flow_id,
        flow_token: &flow.flow_token,
        flow_cta: &flow.cta,
        flow_action: match flow.start {
            Some(_) => "navigate",
            None => "data_exchange",
        },
        flow_action_payload: flow.start.as_ref().map(screen),
        mode: match flow.mode {
            FlowMode::Published => "published",
            FlowMode::Draft => "draft",
        },
    }
}

fn screen(start: &FlowStart) -> Screen<'_> {
    Screen {
        screen: &start.screen,
        data: &start.data,
    }
}

fn reply_buttons(buttons: &[ReplyButton]) -> Action<'_> {
    let button = |reply| Button {
        r#type: "reply",
        reply,
    };
    Action::Buttons {
        buttons: buttons.iter().map(button).collect(),
    }
}

fn list<'a>(button: &'a str, sections: &'a [ListSection]) -> Action<'a> {
    let section = |section: &'a ListSection| Section {
        title: &section.title,
        rows: &section.rows,
    };
    Action::List {
        button,
        sections: sections.iter().map(section).collect(),
    }
}

pub(super) fn products(sections: &[ProductSection]) -> Vec<Products<'_>> {
    sections
        .iter()
        .map(|section| Products {
            title: &section.title,
            product_items: section.products.iter().map(product_item).collect(),
        })
        .collect()
}

fn product_item(product_retailer_id: &String) -> ProductItem<'_> {
    ProductItem {
        product_retailer_id,
    }
}

fn card((card_index, card): (usize, &CarouselCard)) -> Card<'_> {
    Card {
        card_index,
        r#type: "cta_url",
        header: Some(above(&card.header)),
        body: card.body.as_deref().map(|text| Words { text }),
        action: open(&card.display_text, &card.url),
    }
}
