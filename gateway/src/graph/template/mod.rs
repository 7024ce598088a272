//! A template's components as Graph has them (facts §6.5), read into what a send must fill.

use serde_json::Value;

use crate::domain::template::{ButtonShape, CardShape, HeaderShape, TemplateShape, variables};

/// What the components, a JSON array, ask of a send. `None`: they are no such thing.
pub fn shape(components: &str) -> Option<TemplateShape> {
    let components: Vec<Value> = serde_json::from_str(components).ok()?;
    Some(read(&components))
}

fn read(components: &[Value]) -> TemplateShape {
    let offer = part(components, "LIMITED_TIME_OFFER");
    TemplateShape {
        header: header(part(components, "HEADER")),
        body: body(components),
        buttons: buttons(components),
        cards: part(components, "CAROUSEL")
            .map_or(&[][..], |carousel| list(&carousel["cards"]))
            .iter()
            .map(|card| card_shape(list(&card["components"])))
            .collect(),
        offer: offer.is_some_and(|offer| offer["limited_time_offer"]["has_expiration"] == true),
    }
}

fn card_shape(components: &[Value]) -> CardShape {
    CardShape {
        header: header(part(components, "HEADER")),
        body: body(components),
        buttons: buttons(components),
    }
}

/// A component by its type; types are not case-sensitive.
pub fn part<'a>(components: &'a [Value], kind: &str) -> Option<&'a Value> {
    let is = |component: &&Value| {
        let given = component["type"].as_str();
        given.is_some_and(|given| given.eq_ignore_ascii_case(kind))
    };
    components.iter().find(is)
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

fn header(header: Option<&Value>) -> HeaderShape {
    let Some(header) = header else {
        return HeaderShape::Fixed;
    };
    match header["format"].as_str().unwrap_or("TEXT") {
        "IMAGE" => HeaderShape::Image,
        "VIDEO" => HeaderShape::Video,
        "DOCUMENT" => HeaderShape::Document,
        "GIF" => HeaderShape::Gif,
        "LOCATION" => HeaderShape::Location,
        "PRODUCT" => HeaderShape::Product,
        _ => {
            let names = variables(header["text"].as_str().unwrap_or_default());
            names
                .into_iter()
                .next()
                .map_or(HeaderShape::Fixed, HeaderShape::Text)
        }
    }
}

fn body(components: &[Value]) -> Vec<String> {
    let Some(body) = part(components, "BODY") else {
        return Vec::new();
    };
    match body["text"].as_str() {
        // Lists of approved one-time codes may show Meta's own text, in which the code is the one variable.
        Some(text) => variables(text),
        // Meta writes the text of one-time codes (§6.4): the code is its one variable.
        None if body["add_security_recommendation"].is_boolean() => vec!["1".to_owned()],
        None if has_one_time_code(components) => vec!["1".to_owned()],
        None => Vec::new(),
    }
}

fn has_one_time_code(components: &[Value]) -> bool {
    buttons(components).contains(&ButtonShape::OneTimeCode)
}

fn buttons(components: &[Value]) -> Vec<ButtonShape> {
    let buttons = part(components, "BUTTONS").map_or(&[][..], |part| list(&part["buttons"]));
    buttons.iter().map(button).collect()
}

fn button(button: &Value) -> ButtonShape {
    match button["type"].as_str().unwrap_or_default() {
        "QUICK_REPLY" => ButtonShape::QuickReply,
        "URL" => url(button["url"].as_str().unwrap_or_default()),
        "COPY_CODE" => ButtonShape::CopyCode,
        "OTP" => ButtonShape::OneTimeCode,
        "FLOW" => ButtonShape::Flow,
        "CATALOG" => ButtonShape::Catalog,
        "MPM" => ButtonShape::MultiProduct,
        "VOICE_CALL" => ButtonShape::VoiceCall,
        _ => ButtonShape::Other,
    }
}

/// Graph shows the button of an approved one-time code as an address of its own, which takes the code (§4.4).
fn url(url: &str) -> ButtonShape {
    let code = url.starts_with("https://www.whatsapp.com/otp/code");
    match url.contains("{{") {
        _ if code => ButtonShape::OneTimeCode,
        true => ButtonShape::UrlWithSuffix,
        false => ButtonShape::Url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_send_must_fill_is_read_from_the_components() {
        let components = r#"[
            {"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::aW1"]}},
            {"type":"body","text":"Hello {{first_name}}, it arrives at {{eta}}, please be home."},
            {"type":"FOOTER","text":"Parcel Co"},
            {"type":"BUTTONS","buttons":[{"type":"URL","text":"Track","url":"https://t.example/{{1}}"},
                {"type":"URL","text":"Help","url":"https://t.example/help"},{"type":"QUICK_REPLY","text":"Later"},
                {"type":"TOMORROW","text":"New"}]}]"#;
        let expected = TemplateShape {
            header: HeaderShape::Image,
            body: vec!["first_name".to_owned(), "eta".to_owned()],
            buttons: vec![
                ButtonShape::UrlWithSuffix,
                ButtonShape::Url,
                ButtonShape::QuickReply,
                ButtonShape::Other,
            ],
            ..TemplateShape::default()
        };
        assert_eq!(shape(components), Some(expected));
    }

    #[test]
    fn one_time_codes_take_their_code_however_graph_shows_them() {
        let submitted = r#"[{"type":"BODY","add_security_recommendation":true},
            {"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"COPY_CODE"}]}]"#;
        let listed = r#"[{"type":"BODY","text":"*{{1}}* is your verification code."},
            {"type":"BUTTONS","buttons":[{"type":"URL","text":"Copy code",
                "url":"https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"}]}]"#;
        let expected = TemplateShape {
            body: vec!["1".to_owned()],
            buttons: vec![ButtonShape::OneTimeCode],
            ..TemplateShape::default()
        };
        assert_eq!(shape(submitted), Some(expected.clone()));
        assert_eq!(shape(listed), Some(expected));
    }

    #[test]
    fn carousels_and_offers_are_read_card_by_card() {
        let components = r#"[{"type":"BODY","text":"Our offers"},
            {"type":"LIMITED_TIME_OFFER","limited_time_offer":{"text":"Ends soon","has_expiration":true}},
            {"type":"CAROUSEL","cards":[{"components":[{"type":"HEADER","format":"VIDEO"},
                {"type":"BODY","text":"{{1}} off"},{"type":"BUTTONS","buttons":[{"type":"COPY_CODE"}]}]}]}]"#;
        let read = shape(components).expect("components");
        assert!(read.offer);
        let card = CardShape {
            header: HeaderShape::Video,
            body: vec!["1".to_owned()],
            buttons: vec![ButtonShape::CopyCode],
        };
        assert_eq!(read.cards, [card]);
        assert_eq!(shape("{}"), None);
    }
}
