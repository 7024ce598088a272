//! A send by template: its components against the stored ones, and what the customer then sees
//! (`whatsapp-cloud-api.md` §4.4).

mod buttons;

use serde_json::{Map, Value, json};

use super::super::chat::Choice;
use super::super::error::GraphError;
use super::super::send::medium::MediaKind;
use super::parameters::{count, hydrate, list, part};
use super::{TemplateCategory, TemplateSpec};

/// Says whether a medium that a header names can be sent: kind, object, where it stands.
pub(in super::super) type MediaCheck<'a> =
    dyn Fn(MediaKind, &Value, &str) -> Result<(), GraphError> + 'a;

/// A template filled in, as the customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Filled {
    pub text: String,
    pub choices: Vec<Choice>,
    /// Header, body, footer, buttons, cards: for the phone page.
    pub shown: Value,
}

/// The kinds of components that a send may have.
const KINDS: &[&str] = &[
    "header",
    "body",
    "button",
    "carousel",
    "limited_time_offer",
    "order_status",
];

impl TemplateSpec {
    /// Checks the state and fills the `components` of a send in.
    pub(in super::super) fn fill(
        &self,
        components: &Value,
        media: &MediaCheck<'_>,
    ) -> Result<Filled, GraphError> {
        self.sendable()?;
        let given = list(components);
        if let Some(strange) = given.iter().find(|one| !is_known(one)) {
            return Err(GraphError::invalid(
                "template['components']['type']",
                &format!("{} is not known", strange["type"]),
            ));
        }
        let mut filling = Filling {
            category: self.category,
            media,
            choices: Vec::new(),
            code: None,
        };
        let stored = self.parts();
        let mut shown = filling.parts(&stored, given)?;
        if let Some(carousel) = part(&stored, "CAROUSEL") {
            let cards = filling.cards(list(&carousel["cards"]), part(given, "carousel"))?;
            shown.insert("cards".to_owned(), cards);
        } else if part(given, "carousel").is_some() {
            return Err(GraphError::new(
                132012,
                "carousel: the template has no cards",
            ));
        }
        let text = shown
            .get("body")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if text.chars().count() > 1024 {
            return Err(GraphError::new(132005, "Translated text too long"));
        }
        Ok(Filled {
            text,
            choices: filling.choices,
            shown: Value::Object(shown),
        })
    }
}

fn is_known(component: &Value) -> bool {
    let given = component["type"].as_str().unwrap_or_default();
    KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(given))
}

struct Filling<'a> {
    category: TemplateCategory,
    media: &'a MediaCheck<'a>,
    /// Quick replies so far, those of cards too.
    choices: Vec<Choice>,
    /// The one-time code, to be the same in body and button.
    code: Option<String>,
}

type Shown = Map<String, Value>;

impl Filling<'_> {
    /// One level: the template itself or one of its cards.
    fn parts(&mut self, stored: &[Value], given: &[Value]) -> Result<Shown, GraphError> {
        let mut shown = Map::new();
        if let Some(header) = self.header(part(stored, "HEADER"), part(given, "header"))? {
            shown.insert("header".to_owned(), header);
        }
        let parameters = part(given, "body").map_or(&[][..], |body| list(&body["parameters"]));
        shown.insert(
            "body".to_owned(),
            json!(self.body(part(stored, "BODY"), parameters)?),
        );
        if let Some(footer) = footer(part(stored, "FOOTER")) {
            shown.insert("footer".to_owned(), json!(footer));
        }
        if let Some(offer) = part(stored, "LIMITED_TIME_OFFER") {
            shown.insert(
                "offer".to_owned(),
                limited_offer(offer, part(given, "limited_time_offer"))?,
            );
        }
        let stored = part(stored, "BUTTONS").map_or(&[][..], |buttons| list(&buttons["buttons"]));
        shown.insert("buttons".to_owned(), self.buttons(stored, given)?);
        Ok(shown)
    }

    fn cards(&mut self, stored: &[Value], given: Option<&Value>) -> Result<Value, GraphError> {
        let given = given.map_or(&[][..], |carousel| list(&carousel["cards"]));
        if stored.len() != given.len() {
            let details = format!(
                "carousel: {} cards given, the template has {}",
                given.len(),
                stored.len()
            );
            return Err(GraphError::new(132012, details));
        }
        let mut cards = Vec::new();
        for (index, stored) in (0_u64..).zip(stored) {
            let card = given
                .iter()
                .find(|card| index_of(&card["card_index"]) == Some(index));
            let card = card.ok_or_else(|| {
                GraphError::new(132012, format!("carousel: no card has the index {index}"))
            })?;
            cards.push(Value::Object(
                self.parts(list(&stored["components"]), list(&card["components"]))?,
            ));
        }
        Ok(Value::Array(cards))
    }

    fn header(
        &self,
        stored: Option<&Value>,
        given: Option<&Value>,
    ) -> Result<Option<Value>, GraphError> {
        let parameters = given.map_or(&[][..], |given| list(&given["parameters"]));
        let Some(stored) = stored else {
            return match parameters {
                [] => Ok(None),
                more => Err(count("header", more.len(), 0)),
            };
        };
        let format = stored["format"]
            .as_str()
            .unwrap_or("TEXT")
            .to_ascii_lowercase();
        if format == "text" {
            let text = hydrate(
                "header",
                stored["text"].as_str().unwrap_or_default(),
                parameters,
            )?;
            return Ok(Some(json!({ "type": "text", "text": text })));
        }
        let [parameter] = parameters else {
            return Err(mismatch("header", &format, parameters));
        };
        let kind = parameter["type"].as_str().unwrap_or_default();
        if kind != format {
            return Err(mismatch("header", &format, parameters));
        }
        let object = &parameter[kind];
        match (kind, MediaKind::parse(kind)) {
            (_, Some(media)) => (self.media)(media, object, &format!("header['{kind}']"))?,
            ("gif", _) => (self.media)(MediaKind::Video, object, "header['gif']")?,
            ("location", _) => place(object)?,
            ("product", _) if object["product_retailer_id"].is_string() => {}
            _ => return Err(mismatch("header", &format, parameters)),
        }
        Ok(Some(json!({ "type": kind, kind: object })))
    }

    fn body(&mut self, stored: Option<&Value>, given: &[Value]) -> Result<String, GraphError> {
        let stored = stored.cloned().unwrap_or_default();
        if self.category != TemplateCategory::Authentication || stored["text"].is_string() {
            return hydrate("body", stored["text"].as_str().unwrap_or_default(), given);
        }
        // Meta writes the text of one-time codes itself.
        let advice = stored["add_security_recommendation"] == true;
        let advice = if advice {
            " For your security, do not share this code."
        } else {
            ""
        };
        let text = hydrate(
            "body",
            &format!("*{{{{1}}}}* is your verification code.{advice}"),
            given,
        )?;
        let code = given[0]["text"].as_str().unwrap_or_default();
        if code.chars().count() > 15 {
            return Err(GraphError::invalid("code", "has more than 15 characters"));
        }
        self.code = Some(code.to_owned());
        Ok(text)
    }
}

fn index_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn footer(stored: Option<&Value>) -> Option<String> {
    let stored = stored?;
    let minutes = stored["code_expiration_minutes"].as_u64();
    let expires = minutes.map(|minutes| format!("This code expires in {minutes} minutes."));
    expires.or_else(|| stored["text"].as_str().map(str::to_owned))
}

fn limited_offer(stored: &Value, given: Option<&Value>) -> Result<Value, GraphError> {
    let stored = &stored["limited_time_offer"];
    let given = given.map_or(
        &Value::Null,
        |given| &given["parameters"][0]["limited_time_offer"],
    );
    let expires = given["expiration_time_ms"].as_i64();
    if stored["has_expiration"] == true && expires.is_none() {
        return Err(GraphError::missing(
            "limited_time_offer['expiration_time_ms']",
        ));
    }
    Ok(json!({ "text": stored["text"], "expires": expires }))
}

fn place(object: &Value) -> Result<(), GraphError> {
    let missing = ["latitude", "longitude", "name", "address"]
        .into_iter()
        .find(|name| object[name].is_null());
    missing.map_or(Ok(()), |name| {
        Err(GraphError::missing(&format!(
            "header['location']['{name}']"
        )))
    })
}

fn mismatch(place: &str, expected: &str, given: &[Value]) -> GraphError {
    let received = given
        .first()
        .and_then(|given| given["type"].as_str())
        .unwrap_or("UNKNOWN");
    let details = format!(
        "{place}: Format mismatch, expected {}, received {}",
        expected.to_ascii_uppercase(),
        received.to_ascii_uppercase()
    );
    GraphError::new(132012, details)
}
