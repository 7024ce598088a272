//! A template's send: names, headers, buttons, cards and offers.

use super::super::template::{
    CardHeader, TemplateButton, TemplateCard, TemplateContent, TemplateHeader,
};
use super::interactive::{CARD_BODY, call_button};
use super::{
    Checked, Fault, Malformed, commerce, count, each, filled, inside, media, optional_filled,
    parameter, text, unique,
};

const BODY: usize = 1024;
/// With a limited-time offer the body is shorter.
const OFFER_BODY: usize = 600;
const BUTTONS: usize = 10;
/// That a send may wish for. A guess: more than any template has.
const LANGUAGES: usize = 100;

pub(super) fn check(template: &TemplateContent) -> Checked {
    name(&template.name)?;
    language(&template.language)?;
    let most = match template.limited_time_offer {
        Some(_) => OFFER_BODY,
        None => BODY,
    };
    parameter::all(&template.parameters, most)?;
    one_style(template)?;
    if let Some(above) = &template.header {
        inside("header", header(template, above))?;
    }
    if template.has_one_time_code() {
        one_time_code(template)?;
    }
    buttons(&template.buttons)?;
    cards(&template.cards)
}

/// A template is positional or named as a whole, its header and cards included.
fn one_style(template: &TemplateContent) -> Checked {
    let header = match &template.header {
        Some(TemplateHeader::Text(variable)) => Some(("header.name", variable)),
        _ => None,
    };
    let body = template.parameters.iter().map(|p| ("parameters", p));
    let cards = template.cards.iter().flat_map(|card| &card.parameters);
    let cards = cards.map(|p| ("cards[].parameters", p));
    let mut all = body.chain(header).chain(cards);
    let Some((_, first)) = all.next() else {
        return Ok(());
    };
    match all.find(|(_, other)| other.name.is_some() != first.name.is_some()) {
        Some((field, _)) => Err(Malformed::new(field, Fault::MixedParameters).cited("§4.4")),
        None => Ok(()),
    }
}

/// §6.5: what a template may be called.
fn name(name: &str) -> Checked {
    text("name", name, 512).map_err(|malformed| malformed.cited("§6.5"))?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !name.bytes().all(allowed) {
        return Err(Malformed::new("name", Fault::Form("of a-z, 0-9 and _")).cited("§6.5"));
    }
    Ok(())
}

/// A code, or a wish: `auto`, or several codes with commas between.
fn language(language: &str) -> Checked {
    filled("language", language)?;
    let codes: Vec<&str> = language
        .split(',')
        .filter(|code| !code.is_empty())
        .collect();
    count("language", codes.len(), 1, LANGUAGES)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let fits = |code: &&str| (2..=35).contains(&code.len()) && code.chars().all(allowed);
    if !codes.iter().all(fits) {
        let form = "a language's code, such as en or en_GB, a list of codes, or auto";
        return Err(Malformed::new("language", Fault::Form(form)).cited("§4.4"));
    }
    Ok(())
}

fn header(template: &TemplateContent, header: &TemplateHeader) -> Checked {
    match header {
        TemplateHeader::Text(variable) => parameter::all(std::slice::from_ref(variable), 60)
            .map_err(|malformed| unnested(malformed, "parameters[0].")),
        TemplateHeader::Image(media) | TemplateHeader::Video(media) => media::source(&media.source),
        TemplateHeader::Gif(_) if template.marketing_messages.is_none() => {
            let form = "given with `marketing_messages`: GIFs go out by that endpoint only";
            Err(Malformed::new("type", Fault::Form(form)).cited("§4.6"))
        }
        TemplateHeader::Gif(media) => media::source(&media.source),
        TemplateHeader::Document(document) if document.caption.is_some() => {
            Err(Malformed::new("caption", Fault::Form("left out in a header")).cited("§4.4"))
        }
        TemplateHeader::Document(document) => media::document(document),
        // In a header all four are there (§4.4).
        TemplateHeader::Location(at) => {
            filled("name", at.name.as_deref().unwrap_or_default())?;
            filled("address", at.address.as_deref().unwrap_or_default())
        }
        TemplateHeader::Product(product) => {
            filled("catalog_id", &product.catalog_id)?;
            filled("product_retailer_id", &product.product_retailer_id)
        }
    }
}

/// A header's variable stands in the JSON by itself, not in a list.
fn unnested(mut malformed: Malformed, list: &str) -> Malformed {
    if let Some(field) = malformed.field.strip_prefix(list) {
        malformed.field = field.to_owned();
    }
    malformed
}

fn buttons(all: &[TemplateButton]) -> Checked {
    count("buttons", all.len(), 0, BUTTONS)?;
    each("buttons", all, |one| {
        if usize::from(one.index()) >= BUTTONS {
            return Err(Malformed::new("index", Fault::Form("0 to 9")));
        }
        button(one)
    })?;
    unique("buttons[].index", all.iter().map(TemplateButton::index))
        .map_err(|malformed| malformed.cited("§4.4"))
}

fn button(button: &TemplateButton) -> Checked {
    match button {
        // The same as a reply button's id, which is what comes back of one: no limit of Meta's is known.
        TemplateButton::QuickReply { payload, .. } => text("payload", payload, 256),
        TemplateButton::Url { suffix, .. } => {
            text("suffix", suffix, 2000)?;
            match suffix.contains(char::is_whitespace) {
                true => Err(Malformed::new(
                    "suffix",
                    Fault::Form("an address's end without spaces"),
                )),
                false => Ok(()),
            }
        }
        TemplateButton::CopyCode { coupon_code, .. } => text("coupon_code", coupon_code, 20),
        TemplateButton::OneTimeCode { .. } => Ok(()),
        TemplateButton::Flow { flow_token, .. } => filled("flow_token", flow_token),
        TemplateButton::Catalog {
            thumbnail_product_retailer_id: thumbnail,
            ..
        } => optional_filled("thumbnail_product_retailer_id", thumbnail.as_deref()),
        TemplateButton::MultiProduct {
            thumbnail_product_retailer_id: thumbnail,
            sections,
            ..
        } => {
            filled("thumbnail_product_retailer_id", thumbnail)?;
            commerce::sections(sections)
        }
        TemplateButton::VoiceCall {
            ttl_minutes,
            payload,
            ..
        } => call_button(*ttl_minutes, payload.as_deref()),
    }
}

/// The button shows the same code as the body, whose only variable it is (§4.4).
fn one_time_code(template: &TemplateContent) -> Checked {
    if template.parameters.len() != 1 {
        let form = "one, the code that the button shows";
        return Err(Malformed::new("parameters", Fault::Form(form)).cited("§4.4"));
    }
    template.check_code()
}

fn cards(all: &[TemplateCard]) -> Checked {
    if all.is_empty() {
        return Ok(());
    }
    count("cards", all.len(), 2, 10)?;
    each("cards", all, card)?;
    let looks = |card: &TemplateCard| {
        let buttons: Vec<_> = card
            .buttons
            .iter()
            .map(|button| (button.index(), std::mem::discriminant(button)))
            .collect();
        (std::mem::discriminant(&card.header), buttons)
    };
    if all.windows(2).any(|two| looks(&two[0]) != looks(&two[1])) {
        let form = "of the same header type and the same buttons";
        return Err(Malformed::new("cards", Fault::Form(form)));
    }
    Ok(())
}

fn card(card: &TemplateCard) -> Checked {
    let header = match &card.header {
        CardHeader::Image(media) | CardHeader::Video(media) => media::source(&media.source),
        CardHeader::Product(product) => filled("catalog_id", &product.catalog_id)
            .and_then(|()| filled("product_retailer_id", &product.product_retailer_id)),
    };
    inside("header", header)?;
    parameter::all(&card.parameters, CARD_BODY)?;
    let code = |button: &TemplateButton| matches!(button, TemplateButton::OneTimeCode { .. });
    if card.buttons.iter().any(code) {
        let form = "without one-time codes";
        return Err(Malformed::new("buttons", Fault::Form(form)).cited("§4.4"));
    }
    buttons(&card.buttons)
}
