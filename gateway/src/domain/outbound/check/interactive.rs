//! Interactive messages: bodies, headers, footers, buttons, rows and cards.

use super::super::OutboundContent;
use super::super::interactive::{
    AddressMessage, Carousel, CarouselCard, CtaUrl, Flow, Header, ListSection, ReplyButton,
    VoiceCall,
};
use super::{
    Checked, Fault, Malformed, at_most, count, each, filled, inside, longer_than, media, optional,
    text, unique, web_address,
};

pub(super) const BODY: usize = 1024;
pub(super) const FOOTER: usize = 60;
const HEADER: usize = 60;
const LABEL: usize = 20;
const CALL_MINUTES: std::ops::RangeInclusive<u32> = 1..=43_200;

/// Every interactive kind that shows no product.
pub(super) fn check(content: &OutboundContent) -> Checked {
    match content {
        OutboundContent::Buttons {
            header: above,
            body,
            footer,
            buttons: all,
        } => {
            header(above.as_deref())?;
            words(body, BODY, footer.as_deref())?;
            buttons(all)
        }
        OutboundContent::List {
            header: above,
            body,
            footer,
            button,
            sections: all,
        } => {
            optional("header", above.as_deref(), HEADER)?;
            words(body, 4096, footer.as_deref())?;
            text("button", button, LABEL)?;
            sections(all)
        }
        OutboundContent::CtaUrl(button) => cta_url(button),
        OutboundContent::Flow(flow) => self::flow(flow),
        OutboundContent::AddressMessage(address) => address_message(address),
        OutboundContent::VoiceCall(call) => voice_call(call),
        OutboundContent::Carousel(carousel) => self::carousel(carousel),
        OutboundContent::LocationRequestMessage { body }
        | OutboundContent::RequestContactInfo { body }
        | OutboundContent::CallPermissionRequest { body } => text("body", body, BODY),
        // Not interactive, or of another file.
        _ => Ok(()),
    }
}

fn words(body: &str, most: usize, footer: Option<&str>) -> Checked {
    text("body", body, most)?;
    optional("footer", footer, FOOTER)
}

fn header(header: Option<&Header>) -> Checked {
    let checked = match header {
        None => Ok(()),
        Some(Header::Text(header)) => text("text", &header.text, HEADER),
        Some(Header::Image(media) | Header::Video(media)) => media::source(&media.source),
        Some(Header::Document(document)) if document.caption.is_some() => {
            Err(Malformed::new("caption", Fault::Form("left out in a header")).cited("§4.2"))
        }
        Some(Header::Document(document)) => media::document(document),
    };
    inside("header", checked)
}

fn buttons(all: &[ReplyButton]) -> Checked {
    count("buttons", all.len(), 1, 3)?;
    each("buttons", all, |button| {
        text("title", &button.title, LABEL)?;
        text("id", &button.id, 256)
    })?;
    unique("buttons[].title", all.iter().map(|button| &button.title))?;
    unique("buttons[].id", all.iter().map(|button| &button.id))
}

fn sections(all: &[ListSection]) -> Checked {
    count("sections", all.len(), 1, 10)?;
    let rows = || all.iter().flat_map(|section| &section.rows);
    // Ten over all sections together, not in each.
    count("sections[].rows", rows().count(), 1, 10)?;
    each("sections", all, |section| {
        section_title(&section.title, all.len())?;
        count("rows", section.rows.len(), 1, 10)?;
        each("rows", &section.rows, |row| {
            text("title", &row.title, 24)?;
            text("id", &row.id, 200)?;
            optional("description", row.description.as_deref(), 72)
        })
    })?;
    unique("sections[].rows[].id", rows().map(|row| &row.id))
}

/// A section's title is required when there is more than one section.
pub(super) fn section_title(title: &str, sections: usize) -> Checked {
    if sections > 1 {
        filled("title", title)?;
    }
    at_most("title", title, 24)
}

fn cta_url(button: &CtaUrl) -> Checked {
    header(button.header.as_ref())?;
    words(&button.body, BODY, button.footer.as_deref())?;
    text("display_text", &button.display_text, LABEL)?;
    web_address("url", &button.url)
}

/// Meta advises 30 characters for the button; some clients cut at 20 (§4.3).
fn flow(flow: &Flow) -> Checked {
    header(flow.header.as_ref())?;
    words(&flow.body, BODY, flow.footer.as_deref())?;
    filled("flow_id", &flow.flow_id)?;
    filled("flow_token", &flow.flow_token)?;
    text("cta", &flow.cta, LABEL)?;
    match &flow.start {
        Some(start) => inside("start", filled("screen", &start.screen)),
        None => Ok(()),
    }
}

fn address_message(address: &AddressMessage) -> Checked {
    text("body", &address.body, BODY)?;
    if address.country != "IN" {
        return Err(Malformed::new("country", Fault::Form("IN")).cited("§4.2"));
    }
    each("saved_addresses", &address.saved_addresses, |saved| {
        filled("id", &saved.id)
    })
}

fn voice_call(call: &VoiceCall) -> Checked {
    text("body", &call.body, BODY)?;
    text("display_text", &call.display_text, LABEL)?;
    call_button(call.ttl_minutes, call.payload.as_deref())
}

/// Of a message and of a template alike.
pub(super) fn call_button(ttl_minutes: Option<u32>, payload: Option<&str>) -> Checked {
    if ttl_minutes.is_some_and(|minutes| !CALL_MINUTES.contains(&minutes)) {
        return Err(Malformed::new(
            "ttl_minutes",
            Fault::Form("1 to 43200 minutes"),
        ));
    }
    optional("payload", payload, 512)
}

fn carousel(carousel: &Carousel) -> Checked {
    text("body", &carousel.body, BODY)?;
    count("cards", carousel.cards.len(), 2, 10)?;
    each("cards", &carousel.cards, card)?;
    let kind = |card: &CarouselCard| std::mem::discriminant(&card.header);
    if carousel
        .cards
        .windows(2)
        .any(|two| kind(&two[0]) != kind(&two[1]))
    {
        let form = "of the same type on all cards";
        return Err(Malformed::new("cards[].header", Fault::Form(form)));
    }
    Ok(())
}

fn card(card: &CarouselCard) -> Checked {
    if !matches!(card.header, Header::Image(_) | Header::Video(_)) {
        return Err(Malformed::new("header", Fault::Form("an image or a video")));
    }
    header(Some(&card.header))?;
    if let Some(body) = &card.body {
        card_body(body)?;
    }
    text("display_text", &card.display_text, LABEL)?;
    web_address("url", &card.url)
}

pub(super) const CARD_BODY: usize = 160;

fn card_body(body: &str) -> Checked {
    filled("body", body)?;
    if longer_than(body, CARD_BODY) {
        return Err(Malformed::new("body", Fault::TooLong { most: CARD_BODY }));
    }
    if body.matches('\n').count() > 2 {
        return Err(Malformed::new(
            "body",
            Fault::Form("text of at most 2 line breaks"),
        ));
    }
    Ok(())
}
