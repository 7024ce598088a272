//! `replies`: everything that can be said. The domain's builders say what is well formed; `content` translates.

use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::refusal::EffectError;
use super::bindings::vestibule::plugin::replies as wit;
use super::content;
use super::effects::ask;
use crate::domain::OutboundContent;
use crate::domain::outbound::{ListSection, ReplyButton, WellFormed};
use crate::plugin_host::abi::charge::function;
use crate::plugin_host::effect::Effect;
use crate::plugin_host::guest_state::GuestState;

type Wired = wasmtime::Result<()>;
type Asked = Result<(), EffectError>;
/// Content, or what of the guest's words is none.
type Made = Result<OutboundContent, String>;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    wire_manner(to)?;
    wire_plain(to)?;
    wire_media(to)?;
    wire_interactive(to)?;
    wire_questions(to)?;
    wire_commerce(to)
}

/// Keeps a message aside, in the manner that was asked for it.
fn say(state: &mut GuestState, content: Made) -> Asked {
    let next = std::mem::take(&mut state.next);
    let content = content.map_err(EffectError::Invalid)?;
    let content = WellFormed::try_from(content)
        .map_err(|malformed| EffectError::Invalid(malformed.to_string()))?;
    let effect = Effect::Reply {
        content,
        quote: next.quote,
        purpose: next.purpose,
    };
    ask(state, effect)
}

fn quote(state: &mut GuestState) -> Asked {
    has_message(state, "quote")?;
    state.next.quote = true;
    Ok(())
}

fn mean(state: &mut GuestState, purpose: wit::Purpose) -> Asked {
    if purpose == wit::Purpose::Reply {
        has_message(state, "reply to")?;
    }
    state.next.purpose = Some(purpose.into());
    Ok(())
}

fn has_message(state: &GuestState, what: &str) -> Asked {
    match state.hook.has_message() {
        true => Ok(()),
        false => {
            let why = format!("{} has no message to {what}", state.hook);
            Err(EffectError::Denied(why))
        }
    }
}

fn wire_manner(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "quote", |state, ()| Ok((quote(state),)))?;
    function(to, "mean", |state, (purpose,): (wit::Purpose,)| {
        Ok((mean(state, purpose),))
    })?;
    function(to, "react", |state, (emoji,): (String,)| {
        Ok((ask(state, Effect::React { emoji }),))
    })?;
    function(to, "mark-read", |state, (typing,): (bool,)| {
        Ok((ask(state, Effect::MarkRead { typing }),))
    })
}

fn wire_plain(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(
        to,
        "send-text",
        |state, (body, preview_url): (String, bool)| {
            Ok((say(state, Ok(OutboundContent::Text { body, preview_url })),))
        },
    )?;
    function(to, "send-location", |state, (place,): (wit::Place,)| {
        Ok((say(
            state,
            content::place(place).map(OutboundContent::Location),
        ),))
    })?;
    function(to, "send-contacts", |state, (cards,): (Vec<wit::Card>,)| {
        Ok((say(state, content::cards(cards)),))
    })?;
    function(
        to,
        "send-template",
        |state, (template,): (wit::Template,)| {
            let template = content::template(template);
            Ok((say(
                state,
                template.map(|t| OutboundContent::Template(Box::new(t))),
            ),))
        },
    )
}

fn wire_media(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    type Captioned = (wit::File, Option<String>);
    function(to, "send-image", |state, (file, caption): Captioned| {
        let image = content::captioned(file, caption);
        Ok((say(state, Ok(OutboundContent::Image(image))),))
    })?;
    function(to, "send-video", |state, (file, caption): Captioned| {
        let video = content::captioned(file, caption);
        Ok((say(state, Ok(OutboundContent::Video(video))),))
    })?;
    function(
        to,
        "send-audio",
        |state, (file, voice): (wit::File, bool)| {
            let audio = content::audio(file, voice);
            Ok((say(state, Ok(OutboundContent::Audio(audio))),))
        },
    )?;
    function(
        to,
        "send-document",
        |state, (document, caption): (wit::Document, Option<String>)| {
            let document = content::document(document, caption);
            Ok((say(state, Ok(OutboundContent::Document(document))),))
        },
    )?;
    function(to, "send-sticker", |state, (file,): (wit::File,)| {
        Ok((say(
            state,
            Ok(OutboundContent::Sticker(content::media(file))),
        ),))
    })
}

fn wire_interactive(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    type Buttons = (
        Option<wit::Header>,
        String,
        Option<String>,
        Vec<wit::Button>,
    );
    function(
        to,
        "send-buttons",
        |state, (header, body, footer, buttons): Buttons| {
            Ok((say(
                state,
                Ok(OutboundContent::Buttons {
                    header: header.map(|header| Box::new(content::header(header))),
                    body,
                    footer,
                    buttons: buttons.into_iter().map(ReplyButton::from).collect(),
                }),
            ),))
        },
    )?;
    type Rows = (
        Option<String>,
        String,
        Option<String>,
        String,
        Vec<wit::Section>,
    );
    function(
        to,
        "send-rows",
        |state, (header, body, footer, button, sections): Rows| {
            Ok((say(
                state,
                Ok(OutboundContent::List {
                    header,
                    body,
                    footer,
                    button,
                    sections: sections.into_iter().map(ListSection::from).collect(),
                }),
            ),))
        },
    )?;
    function(to, "send-link", |state, (link,): (wit::Link,)| {
        Ok((say(state, Ok(content::link(link))),))
    })?;
    function(to, "send-flow", |state, (flow,): (wit::Flow,)| {
        Ok((say(state, content::flow(flow)),))
    })?;
    function(
        to,
        "send-call-button",
        |state, (button,): (wit::CallButton,)| Ok((say(state, Ok(content::call_button(button))),)),
    )?;
    function(
        to,
        "send-carousel",
        |state, (body, cards): (String, Vec<wit::CarouselCard>)| {
            Ok((say(state, Ok(content::carousel(body, cards))),))
        },
    )
}

fn wire_questions(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "ask-location", |state, (body,): (String,)| {
        Ok((say(
            state,
            Ok(OutboundContent::LocationRequestMessage { body }),
        ),))
    })?;
    function(to, "ask-phone", |state, (body,): (String,)| {
        Ok((say(state, Ok(OutboundContent::RequestContactInfo { body })),))
    })?;
    function(to, "ask-to-call", |state, (body,): (String,)| {
        Ok((say(
            state,
            Ok(OutboundContent::CallPermissionRequest { body }),
        ),))
    })?;
    function(to, "ask-address", |state, (form,): (wit::AddressForm,)| {
        Ok((say(state, Ok(content::address_form(form))),))
    })
}

fn wire_commerce(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "send-product", |state, (product,): (wit::Product,)| {
        Ok((say(state, Ok(content::product(product))),))
    })?;
    function(
        to,
        "send-product-list",
        |state, (list,): (wit::ProductList,)| Ok((say(state, Ok(content::product_list(list))),)),
    )?;
    function(to, "send-catalog", |state, (catalog,): (wit::Catalog,)| {
        Ok((say(state, Ok(content::catalog(catalog))),))
    })?;
    function(
        to,
        "send-product-carousel",
        |state, (carousel,): (wit::ProductCarousel,)| {
            Ok((say(state, Ok(content::product_carousel(carousel))),))
        },
    )
}
