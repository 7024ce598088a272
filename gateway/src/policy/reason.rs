//! Why a draft is refused or deferred: a closed list with stable codes.
//!
//! One table gives each reason its code (in our API, logs and rows), the Meta error code that Cloud-API clients get
//! for it (§7), so that what they already handle works, and plain words. `docs/policy.md` prints it.

use std::fmt;

macro_rules! reasons {
    ($($name:ident = $code:literal, $meta:literal, $words:literal;)*) => {
        /// Why policy said no, or not yet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $words] $name,)*
        }

        impl Reason {
            /// Every reason, in the order in which the rules are asked.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable word: rows and clients keep it.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// Meta's error code that a Cloud-API client is told.
            pub fn meta_code(self) -> i64 {
                match self {
                    $(Self::$name => $meta,)*
                }
            }

            /// Plain words for people.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

reasons! {
    HoldAll = "hold_all", 131031,
        "Everything is on hold by the operator.";
    HoldTenant = "hold_tenant", 131031,
        "The tenant is on hold.";
    HoldNumber = "hold_number", 131031,
        "The number is on hold.";
    HoldCredential = "hold_credential", 131031,
        "The access token of the number is on hold: Meta refused it, or the operator did.";
    HoldPlugin = "hold_plugin", 131031,
        "The plugin that wants to send is on hold.";
    HoldTemplate = "hold_template", 132015,
        "The template is on hold in this language.";
    HoldTemplates = "hold_templates", 131064,
        "All templates of the tenant are on hold.";
    HoldReplies = "hold_replies", 131031,
        "The number may not answer: Meta has restricted its answers.";
    HoldMarketing = "hold_marketing", 131048,
        "Marketing of the number is on hold: its quality has dropped, or people hold its messages off.";
    OwnerNotBot = "owner_not_bot", 131005,
        "Automatic messages are not sent while somebody else owns the conversation.";
    OwnerChanged = "owner_changed", 131005,
        "Somebody took the conversation over after the bot wrote this.";
    Blocked = "blocked", 130403,
        "The business has blocked the person on this number.";
    OptedOut = "opted_out", 131050,
        "The person has opted out of messages that the business begins.";
    OptedOutMarketing = "opted_out_marketing", 131050,
        "The person has opted out of marketing.";
    MetaMarketingStopped = "meta_marketing_stopped", 131050,
        "The person has stopped marketing of this business in WhatsApp.";
    OptedOutUtility = "opted_out_utility", 131050,
        "The person has opted out of utility messages.";
    OptedOutTopic = "opted_out_topic", 131050,
        "The person has opted out of this topic.";
    TopicUnknown = "topic_unknown", 131009,
        "The template names a topic that the tenant does not have.";
    NoOptIn = "no_opt_in", 131005,
        "No opt-in of the person to such messages is on record, and the tenant's consent basis is the ledger.";
    RepliesStopped = "replies_stopped", 131050,
        "The person has opted out, and has not opened replies again.";
    ConfirmationNotDue = "confirmation_not_due", 131009,
        "There is no opt-out to confirm, or the sender may not confirm one.";
    ConfirmationLate = "confirmation_late", 131009,
        "An opt-out is confirmed within five minutes or not at all.";
    ContentEmpty = "content_empty", 131008,
        "A part that must have text, or an id, has none.";
    ContentTooLong = "content_too_long", 100,
        "A part is longer than WhatsApp allows.";
    ContentCount = "content_count", 131009,
        "There are too few or too many buttons, sections, rows, cards or the like.";
    ContentNotUnique = "content_not_unique", 131009,
        "Two buttons or rows have the same id or title.";
    ContentForm = "content_form", 131009,
        "A part has a form that WhatsApp does not take.";
    RecipientNeedsPhone = "recipient_needs_phone", 131062,
        "One-time codes go to a phone number only, and this person is written to without one.";
    RecipientNotServed = "recipient_not_served", 131009,
        "WhatsApp does not offer this kind of message where the person is.";
    TemplateNotApproved = "template_not_approved", 132001,
        "The template does not exist in this language, or is not approved.";
    TemplateLanguage = "template_language", 132001,
        "No approved version of the template is in a language that was asked for.";
    TemplateInReview = "template_in_review", 132001,
        "Meta reviews the template still, or again.";
    TemplateRejected = "template_rejected", 132001,
        "Meta has rejected the template.";
    TemplatePaused = "template_paused", 132015,
        "Meta has paused the template because of its quality.";
    TemplateDisabled = "template_disabled", 132016,
        "Meta has disabled the template for good.";
    TemplateLocked = "template_locked", 132001,
        "Meta has locked or archived the template, or the account has too many.";
    TemplateDeleted = "template_deleted", 132001,
        "The template is deleted at Meta, or is about to be.";
    TemplateParameterCount = "template_parameter_count", 132000,
        "The template takes another number of parameters.";
    TemplateParameterName = "template_parameter_name", 132012,
        "The template's variables have other names, or none.";
    TemplateHeader = "template_header", 132012,
        "The template takes another header, or none.";
    TemplateButton = "template_button", 132012,
        "A button is missing that the template must be given, or is none of the template's.";
    TemplateCards = "template_cards", 132012,
        "The template has another number of cards.";
    TemplateOffer = "template_offer", 131008,
        "The template's limited-time offer needs its end, or the template has no such offer.";
    TemplateParameterEmpty = "template_parameter_empty", 131008,
        "A parameter has no value, and no default that could stand in for it.";
    TemplateParameterMix = "template_parameter_mix", 132012,
        "Named and positional parameters are mixed, or a name is malformed or repeated.";
    TemplateParameterText = "template_parameter_text", 132018,
        "A parameter has a newline, a tab or more than four spaces in a row, or is no one-time code.";
    TemplateParameterTooLong = "template_parameter_too_long", 132005,
        "A parameter is longer than the template can be.";
    OfferOver = "offer_over", 131009,
        "The limited-time offer is over.";
    NotMarketing = "not_marketing", 134100,
        "Only marketing templates go out by the Marketing Messages endpoint.";
    WindowClosed = "window_closed", 131047,
        "The person's last message is more than 24 hours old.";
    LoopBrake = "loop_brake", 131056,
        "The bot has sent this conversation as many replies in an hour as it may.";
    HeldOff = "held_off", 131049,
        "Meta has held marketing off from the person: they have had enough of businesses for a day.";
    PersonCap = "person_cap", 131049,
        "The person has heard from the business as often as its own cap allows.";
    MessagingLimit = "messaging_limit", 131048,
        "The portfolio has messaged as many people outside a window in 24 hours as Meta allows.";
    MonthlyCap = "monthly_cap", 131042,
        "The tenant has begun as many messages of this category this month as its own cap allows.";
    QuietHours = "quiet_hours", 131049,
        "It is the person's night, or another time at which the tenant sends nothing of this category.";
    IngestBacklog = "ingest_backlog", 130429,
        "Received messages of this number are not read yet, and an opt-out may be among them.";
}

impl Reason {
    /// The reason behind a stored code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Reason;

    #[test]
    fn every_code_is_snake_case_and_leads_back_to_its_reason() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let code = reason.code();
            assert!(
                code.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{code}"
            );
            assert_eq!(Reason::from_code(code), Some(*reason));
        }
    }

    #[test]
    fn the_page_lists_every_reason_as_it_is() {
        let page = include_str!("../../../docs/policy.md");
        let mut table = String::from("| reason | Meta's code | what it means |\n|---|---|---|\n");
        for reason in Reason::ALL {
            let (code, meta) = (reason.code(), reason.meta_code());
            table += &format!("| `{code}` | {meta} | {} |\n", reason.explanation());
        }
        assert!(
            page.contains(&table),
            "docs/policy.md must contain:\n{table}"
        );
    }
}
