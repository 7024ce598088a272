//! Rule 4: is the content something that WhatsApp accepts, from this template and for this person?
//!
//! Its form is judged by [`OutboundContent::check`], by which builders are held too: here every draft is asked once more,
//! whoever made it and however old its row. Meta would refuse it too, but only after a network call, and in words that
//! name no field.

use crate::domain::outbound::{Fault, Malformed};
use crate::domain::{Draft, OutboundContent, Recipient, Timestamp};

use super::decide::Refusal;
use super::facts::Facts;
use super::reason::Reason;
use super::template;

/// Refuses content that breaks a limit of its type.
pub(super) fn fits(facts: &Facts, draft: &Draft, now: Timestamp) -> Result<(), Refusal> {
    let Some(content) = draft.content.template() else {
        draft.content.check().map_err(refusal)?;
        return reaches(&draft.content, &draft.recipient);
    };
    template::is_the_one(&facts.template, content)?;
    draft.content.check().map_err(refusal)?;
    template::suits(&facts.template, draft.class, content, now)?;
    if template::is_code(&facts.template, draft.class, content) {
        content.check_code().map_err(refusal)?;
        has_phone(&draft.recipient)?;
    }
    Ok(())
}

fn refusal(malformed: Malformed) -> Refusal {
    let reason = match malformed.fault {
        Fault::Empty => Reason::ContentEmpty,
        Fault::TooLong { .. } => Reason::ContentTooLong,
        Fault::Count { .. } => Reason::ContentCount,
        Fault::NotUnique => Reason::ContentNotUnique,
        Fault::Form(_) => Reason::ContentForm,
        Fault::NoValue => Reason::TemplateParameterEmpty,
        Fault::MixedParameters => Reason::TemplateParameterMix,
        Fault::ParameterText(_) => Reason::TemplateParameterText,
        Fault::ParameterTooLong { .. } => Reason::TemplateParameterTooLong,
    };
    Refusal::new(reason).allowing(format!("{} ({})", malformed.wanted(), malformed.section))
}

/// A BSUID gets no one-time codes (§2.3).
fn has_phone(recipient: &Recipient) -> Result<(), Refusal> {
    match recipient {
        Recipient::Phone(_) => Ok(()),
        Recipient::Bsuid(_) => {
            Err(Refusal::new(Reason::RecipientNeedsPhone).allowing("another template (§2.3)"))
        }
    }
}

/// Addresses are asked for in India only (§4.2). Whether the number is Indian too is Meta's to judge.
fn reaches(content: &OutboundContent, recipient: &Recipient) -> Result<(), Refusal> {
    let indian = match recipient {
        Recipient::Phone(phone) => phone.digits().starts_with("91"),
        Recipient::Bsuid(bsuid) => bsuid.as_str().starts_with("IN."),
    };
    match content {
        OutboundContent::AddressMessage(_) if !indian => {
            Err(Refusal::new(Reason::RecipientNotServed)
                .allowing("a question in words, or a flow (§4.2)"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
