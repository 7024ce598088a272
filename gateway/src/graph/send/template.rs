//! The `template` object: a name, a language and the components that fill its variables (facts §4.4).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::Timestamp;
use crate::domain::outbound::{
    CardHeader, CardProduct, Currency, Document, Media, ParameterFormat, Place, ProductSection,
    TemplateButton, TemplateCard, TemplateContent, TemplateHeader, TemplateParameter,
};

use super::interactive::{Products, products};

#[derive(Serialize)]
pub(super) struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    /// Components without variables are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
    policy: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Component<'a> {
    Header {
        parameters: [Parameter<'a>; 1],
    },
    Body {
        parameters: Vec<Parameter<'a>>,
    },
    Button {
        sub_type: &'static str,
        /// Text or number; text is what the docs show.
        index: String,
        parameters: Vec<Parameter<'a>>,
    },
    Carousel {
        cards: Vec<Card<'a>>,
    },
    LimitedTimeOffer {
        parameters: [Parameter<'a>; 1],
    },
}

#[derive(Serialize)]
struct Card<'a> {
    card_index: usize,
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Parameter<'a> {
    /// Of a named variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_name: Option<&'a str>,
    #[serde(flatten)]
    value: ParameterValue<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ParameterValue<'a> {
    Text { text: &'a str },
    Currency { currency: Money<'a> },
    DateTime { date_time: Shown<'a> },
    Image { image: &'a Media },
    Video { video: &'a Media },
    Gif { gif: &'a Media },
    Document { document: &'a Document },
    Location { location: &'a Place },
    Product { product: &'a CardProduct },
    Payload { payload: &'a str },
    CouponCode { coupon_code: &'a str },
    TtlMinutes { ttl_minutes: u32 },
    Action { action: Action<'a> },
    LimitedTimeOffer { limited_time_offer: Offer },
}

#[derive(Serialize)]
struct Money<'a> {
    fallback_value: &'a str,
    code: &'a str,
    amount_1000: i64,
}

#[derive(Serialize)]
struct Shown<'a> {
    fallback_value: &'a str,
}

#[derive(Serialize)]
struct Offer {
    expiration_time_ms: Timestamp,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Action<'a> {
    Flow {
        flow_token: &'a str,
        #[serde(skip_serializing_if = "Map::is_empty")]
        flow_action_data: &'a Map<String, Value>,
    },
    Products {
        thumbnail_product_retailer_id: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        sections: Vec<Products<'a>>,
    },
}

impl<'a> Template<'a> {
    pub(super) fn of(template: &'a TemplateContent) -> Self {
        let mut components = Vec::new();
        components.extend(template.header.as_ref().map(header));
        components.extend(body(&template.parameters));
        components.extend(template.limited_time_offer.map(|offer| {
            let limited_time_offer = Offer {
                expiration_time_ms: offer.expires_at,
            };
            Component::LimitedTimeOffer {
                parameters: [ParameterValue::LimitedTimeOffer { limited_time_offer }.into()],
            }
        }));
        let code = template.parameters.first().map_or("", |code| code.shown());
        components.extend(template.buttons.iter().filter_map(|b| button(b, code)));
        if !template.cards.is_empty() {
            let cards = (0..).zip(&template.cards).map(card).collect();
            components.push(Component::Carousel { cards });
        }
        Self {
            name: &template.name,
            language: Language {
                code: &template.language,
                policy: "deterministic",
            },
            components,
        }
    }
}

impl<'a> From<ParameterValue<'a>> for Parameter<'a> {
    fn from(value: ParameterValue<'a>) -> Self {
        Self {
            parameter_name: None,
            value,
        }
    }
}

fn header(header: &TemplateHeader) -> Component<'_> {
    let parameter = match header {
        TemplateHeader::Text(variable) => self::variable(variable),
        TemplateHeader::Image(image) => ParameterValue::Image { image }.into(),
        TemplateHeader::Video(video) => ParameterValue::Video { video }.into(),
        TemplateHeader::Gif(gif) => ParameterValue::Gif { gif }.into(),
        TemplateHeader::Document(document) => ParameterValue::Document { document }.into(),
        TemplateHeader::Location(location) => ParameterValue::Location { location }.into(),
        TemplateHeader::Product(product) => ParameterValue::Product { product }.into(),
    };
    Component::Header {
        parameters: [parameter],
    }
}

fn body(variables: &[TemplateParameter]) -> Option<Component<'_>> {
    let parameters: Vec<_> = variables.iter().map(variable).collect();
    (!parameters.is_empty()).then_some(Component::Body { parameters })
}

fn variable(variable: &TemplateParameter) -> Parameter<'_> {
    let shown = variable.shown();
    let value = match &variable.format {
        ParameterFormat::Text => ParameterValue::Text { text: shown },
        ParameterFormat::Currency(Currency { code, amount_1000 }) => ParameterValue::Currency {
            currency: Money {
                fallback_value: shown,
                code,
                amount_1000: *amount_1000,
            },
        },
        ParameterFormat::DateTime => ParameterValue::DateTime {
            date_time: Shown {
                fallback_value: shown,
            },
        },
    };
    Parameter {
        parameter_name: variable.name.as_deref(),
        value,
    }
}

/// `code`: the one-time code, if the template has one. A button that is given nothing is left out.
fn button<'a>(button: &'a TemplateButton, code: &'a str) -> Option<Component<'a>> {
    let (sub_type, values) = match button {
        TemplateButton::QuickReply { payload, .. } => {
            ("quick_reply", vec![ParameterValue::Payload { payload }])
        }
        TemplateButton::Url { suffix, .. } => ("url", vec![ParameterValue::Text { text: suffix }]),
        TemplateButton::OneTimeCode { .. } => ("url", vec![ParameterValue::Text { text: code }]),
        TemplateButton::CopyCode { coupon_code, .. } => (
            "copy_code",
            vec![ParameterValue::CouponCode { coupon_code }],
        ),
        TemplateButton::Flow {
            flow_token, data, ..
        } => {
            let action = Action::Flow {
                flow_token,
                flow_action_data: data,
            };
            ("flow", vec![ParameterValue::Action { action }])
        }
        TemplateButton::Catalog {
            thumbnail_product_retailer_id: thumbnail,
            ..
        } => (
            "catalog",
            thumbnail.iter().map(|id| shown(id, &[])).collect(),
        ),
        TemplateButton::MultiProduct {
            thumbnail_product_retailer_id: thumbnail,
            sections,
            ..
        } => ("mpm", vec![shown(thumbnail, sections)]),
        TemplateButton::VoiceCall {
            ttl_minutes,
            payload,
            ..
        } => ("voice_call", call(*ttl_minutes, payload.as_deref())),
    };
    (!values.is_empty()).then(|| Component::Button {
        sub_type,
        index: button.index().to_string(),
        parameters: values.into_iter().map(Parameter::from).collect(),
    })
}

fn shown<'a>(thumbnail: &'a str, sections: &'a [ProductSection]) -> ParameterValue<'a> {
    ParameterValue::Action {
        action: Action::Products {
            thumbnail_product_retailer_id: thumbnail,
            sections: products(sections),
        },
    }
}

fn call(ttl_minutes: Option<u32>, payload: Option<&str>) -> Vec<ParameterValue<'_>> {
    let ttl = ttl_minutes.map(|ttl_minutes| ParameterValue::TtlMinutes { ttl_minutes });
    let payload = payload.map(|payload| ParameterValue::Payload { payload });
    ttl.into_iter().chain(payload).collect()
}

fn card((card_index, card): (usize, &TemplateCard)) -> Card<'_> {
    let above = match &card.header {
        CardHeader::Image(image) => ParameterValue::Image { image },
        CardHeader::Video(video) => ParameterValue::Video { video },
        CardHeader::Product(product) => ParameterValue::Product { product },
    };
    let mut components = vec![Component::Header {
        parameters: [above.into()],
    }];
    components.extend(body(&card.parameters));
    components.extend(card.buttons.iter().filter_map(|one| button(one, "")));
    Card {
        card_index,
        components,
    }
}
