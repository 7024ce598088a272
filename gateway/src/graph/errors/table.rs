//! The error table, facts §7.1–§7.6, row by row: code ⇒ action, who has to act, what happened, what helps.
//!
//! Reads as the table it is taken from; every row has its line in `tests.rs`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::action::Action::{self, Fix, GiveUp, Hold, Ignore, Reroute, Slow};
use super::action::Fault::{self, Meta, Operator, Recipient, Tenant};
use super::action::HoldScope::{Feature, Number, Template, TenantTemplates, Token};
use super::action::SideEffect::{
    self, ClosesWindow, MarksBlocked, RecordsOptOut, RefetchesTemplate,
};
use super::action::{HoldScope, SlowScope};
use super::backoff::MAX_ATTEMPTS;

/// What one code, or one run of codes, means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    pub codes: RangeInclusive<i64>,
    /// Of facts §7.
    pub section: &'static str,
    pub action: Action,
    pub fault: Fault,
    pub side_effect: Option<SideEffect>,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

/// The rule of a code. A single code wins over a run that holds it (none does today).
pub(super) fn find(code: i64) -> Option<&'static ErrorRule> {
    RULES
        .iter()
        .filter(|rule| rule.codes.contains(&code))
        .min_by_key(|rule| rule.codes.end() - rule.codes.start())
}

const HOLD_TENANT: Action = Hold(HoldScope::Tenant);
const RETRY: Action = Action::Retry {
    after: None,
    attempts: MAX_ATTEMPTS,
};
const IN_DOUBT: Action = Action::RetryInDoubt {
    attempts: MAX_ATTEMPTS,
};

const fn retry_after(secs: u64, attempts: u32) -> Action {
    Action::Retry {
        after: Some(Duration::from_secs(secs)),
        attempts,
    }
}

const fn in_doubt(attempts: u32) -> Action {
    Action::RetryInDoubt { attempts }
}

macro_rules! rules {
    ($($section:literal {$(
        $from:literal $(..= $to:literal)? => $action:expr, $fault:ident $(+ $effect:ident)?,
            $meaning:literal, $remedy:literal;
    )*})*) => {
        /// Every code that facts §7 lists, in its order.
        pub const RULES: &[ErrorRule] = &[$($(ErrorRule {
            codes: RangeInclusive::new($from, rules!(@last $from $($to)?)),
            section: $section,
            action: $action,
            fault: $fault,
            side_effect: rules!(@effect $($effect)?),
            meaning: $meaning,
            remedy: $remedy,
        },)*)*];
    };
    (@last $from:literal) => { $from };
    (@last $from:literal $to:literal) => { $to };
    (@effect) => { None };
    (@effect $effect:ident) => { Some($effect) };
}

rules! {
    // Authorization and integrity.
    "7.1" {
        0 => Hold(Token), Operator,
            "The access token is not valid any more", "Connect the business again to get a new token.";
        3 => HOLD_TENANT, Operator,
            "The app lacks a capability for this call", "Complete the app review and its permissions at Meta.";
        10 => HOLD_TENANT, Operator,
            "The app lacks the permission for this call", "Grant the permission at Meta.";
        33 => Hold(Number), Operator,
            "The business number was deleted or the token cannot see it", "Check the number and the token's assets.";
        190 => Hold(Token), Operator,
            "The access token has expired or was withdrawn", "Connect the business again to get a new token.";
        200..=299 => HOLD_TENANT, Operator,
            "A permission is missing or was taken away", "Give the system user access to the WhatsApp account.";
        368 => HOLD_TENANT, Tenant,
            "The business is blocked for a while for breaking Meta's policy", "See Meta's notice in Business Support.";
        130497 => GiveUp, Tenant,
            "The business may not message people in that country", "Do not send to that country.";
        131005 => HOLD_TENANT, Operator,
            "Access was denied", "Check the token's permissions.";
        131031 => HOLD_TENANT, Tenant,
            "The WhatsApp account is locked or restricted", "See Meta's notice in Business Support.";
    }
    // Throttling.
    "7.2" {
        4 => Slow(SlowScope::App), Operator,
            "The app makes too many calls", "Nothing: the gateway slows down by itself.";
        613 => Slow(SlowScope::App), Operator,
            "Call permissions were asked for too often", "Nothing: the gateway slows down by itself.";
        80007 => Slow(SlowScope::Waba), Operator,
            "The WhatsApp account makes too many calls", "Nothing: the gateway slows down by itself.";
        130429 => Slow(SlowScope::Number), Meta,
            "The number's throughput is used up", "Nothing: the gateway slows down by itself.";
        131048 => Hold(Number), Tenant,
            "The number is restricted because people blocked or reported it",
            "Wait until Meta lifts it; send less, to people who expect it.";
        131056 => Slow(SlowScope::Pair), Meta,
            "Too many messages to the same person in a short time", "Nothing: the gateway waits and keeps the order.";
        131064 => Hold(TenantTemplates), Tenant,
            "Template sends are limited because templates were put into a wrong category",
            "Correct the categories of the templates.";
        131208 => Slow(SlowScope::Number), Meta,
            "Too many group operations", "Nothing: the gateway slows down by itself.";
        133016 => Hold(Feature), Operator,
            "The number was registered or deregistered too often", "Wait 72 hours.";
    }
    // Generic.
    "7.3" {
        1 => in_doubt(3), Meta,
            "Meta had an unknown error or did not understand the request", "Nothing: the gateway tries again.";
        2 => IN_DOUBT, Meta,
            "Meta's service is down for a moment", "Nothing: the gateway tries again.";
        100 => Fix, Tenant,
            "A parameter of the message is wrong", "Read Meta's details and correct the message.";
        130403 => GiveUp, Tenant + MarksBlocked,
            "The business has blocked this person", "Unblock the person first.";
        130472 => GiveUp, Recipient,
            "The person is part of an experiment of Meta's without marketing", "Nothing: reach them by other means.";
        131000 => in_doubt(3), Meta,
            "Something went wrong at Meta", "Nothing: the gateway tries again.";
        131008 => Fix, Tenant,
            "A required parameter is missing", "Read Meta's details and correct the message.";
        131009 => Fix, Tenant,
            "A parameter's value is not valid", "Read Meta's details and correct the message.";
        131014 => Action::Retry { after: None, attempts: 2 }, Tenant,
            "Meta could not fetch the media from its address", "Check the address, the type and the size of the media.";
        131016 => IN_DOUBT, Meta,
            "Meta's service is not available", "Nothing: the gateway tries again.";
        131021 => GiveUp, Tenant,
            "The number would write to itself", "Choose another recipient.";
        131026 => GiveUp, Recipient,
            "The message cannot be delivered to this person", "Reach them by other means; they may not use WhatsApp.";
        131030 => Fix, Tenant,
            "The test number may write only to listed people", "Add the person to the list of the test number.";
        131037 => Hold(Number), Tenant,
            "The number's display name is not approved", "Have the display name approved.";
        131042 => HOLD_TENANT, Tenant,
            "There is a problem with how the business pays Meta", "Check payment method, credit, currency and time zone.";
        131044 => HOLD_TENANT, Tenant,
            "There is a problem with how the business pays Meta", "Check payment method, credit, currency and time zone.";
        131045 => Hold(Number), Operator,
            "The number is not registered correctly", "Register the number again.";
        131047 => GiveUp, Tenant + ClosesWindow,
            "More than 24 hours have passed since the person wrote", "Send a template.";
        131049 => GiveUp, Recipient,
            "Meta held the message back: this person gets enough marketing", "Try again by hand after a day or later.";
        131050 => GiveUp, Recipient + RecordsOptOut,
            "The person stopped marketing from this business", "Respect it: only they can change it.";
        131051 => Fix, Tenant,
            "WhatsApp does not support this type of message", "Send another type.";
        131052 => GiveUp, Recipient,
            "The media that the person sent could not be loaded", "Ask them to send it again.";
        131053 => Action::Retry { after: None, attempts: 2 }, Tenant,
            "Meta could not take the media", "Check the address, the type and the size of the media.";
        131055 => Fix, Tenant,
            "This way of sending is for marketing only", "Send it the usual way.";
        131057 => retry_after(60, MAX_ATTEMPTS), Meta,
            "The number is being upgraded", "Nothing: the gateway tries again in a minute.";
        131060 => Ignore, Recipient,
            "A message of the person's could not be relayed", "Ask them to write again.";
        131062 => GiveUp, Tenant,
            "This message can only be sent to a phone number", "Ask the person for their phone number.";
        131063 => Reroute, Tenant,
            "The WhatsApp account sends marketing by the Marketing Messages API only", "Send it by that API.";
        134011 => Hold(Feature), Tenant,
            "The terms of WhatsApp Payments are not accepted", "Accept them at Meta.";
        134100 => Fix, Tenant,
            "The Marketing Messages API takes marketing only", "Send it the usual way.";
        134101 => retry_after(600, MAX_ATTEMPTS), Meta,
            "The template is still being copied to the ad account", "Nothing: the gateway tries again in ten minutes.";
        134102 => Reroute, Tenant,
            "The template cannot go by the Marketing Messages API", "Send it the usual way.";
        135000 => Fix, Tenant,
            "The request is wrong in a way that Meta does not tell", "Check the message's parameters.";
        136024 => Slow(SlowScope::Waba), Operator,
            "Verification codes were asked for too often or at the wrong time", "Wait and ask again.";
        137000 => GiveUp, Tenant,
            "The person's identity has changed", "Verify who they are, then send without the old identity key.";
        1752041 => Ignore, Operator,
            "The business is already being onboarded to the Marketing Messages API", "Nothing.";
        2494010 => Fix, Operator,
            "Meta gave an error that no source explains", "Read Meta's details.";
    }
    // Templates and flows.
    "7.4" {
        131059 => Fix, Operator,
            "A page cursor is not valid any more", "Start the listing again.";
        132000 => Fix, Tenant + RefetchesTemplate,
            "The number of parameters is not what the template asks for", "Compare with the approved template.";
        132001 => retry_after(60, 2), Tenant + RefetchesTemplate,
            "The template does not exist in that language or is not approved", "Have it approved, or name another.";
        132005 => Fix, Tenant,
            "The template's text is too long with these parameters", "Shorten the parameters.";
        132007 => Fix, Tenant,
            "The template's characters or format break Meta's policy", "Correct the template.";
        132008 => Fix, Tenant,
            "A template parameter's value is not valid", "Correct the parameter.";
        132012 => Fix, Tenant + RefetchesTemplate,
            "A template parameter's format is not what the template asks for", "Compare with the approved template.";
        132015 => Hold(Template), Tenant,
            "Meta has paused the template for its quality", "Improve the template, or wait until Meta unpauses it.";
        132016 => Hold(Template), Tenant,
            "Meta has disabled the template for its quality", "Use another template.";
        132018 => Fix, Tenant,
            "A template parameter holds line breaks, tabs or many spaces", "Remove them.";
        132068 => Hold(Template), Tenant,
            "The flow is blocked", "Correct the flow.";
        132069 => Slow(SlowScope::Flow), Tenant,
            "The flow is throttled to ten messages an hour", "Correct the flow.";
        139000 => Hold(Template), Tenant,
            "The flow is blocked for its integrity", "Correct the flow.";
        139001..=139004 => Fix, Tenant,
            "The flow is not in a state that allows this", "Check the flow's state.";
        139006 => Fix, Tenant,
            "The flow has too few measurements for this", "Wait until it has been used more.";
        200005..=200007 => Fix, Tenant,
            "Template insights are not available", "Enable them at Meta.";
        2388019 => Fix, Tenant,
            "The WhatsApp account has too many templates", "Delete some.";
        2388040 => Fix, Tenant,
            "A field of the template is too long", "Shorten it.";
        2388047 => Fix, Tenant,
            "The template's header has a wrong format", "Correct the header.";
        2388072 => Fix, Tenant,
            "The template's body has a wrong format", "Correct the body.";
        2388073 => Fix, Tenant,
            "The template's footer has a wrong format", "Correct the footer.";
        2388293 => Fix, Tenant,
            "The template has too many variables for its length", "Use fewer variables or more text.";
        2388299 => Fix, Tenant,
            "A variable stands at the start or the end of the template", "Put words around it.";
    }
    // Registration, migration, coexistence.
    "7.5" {
        133000 => RETRY, Operator,
            "An earlier deregistration did not finish", "Deregister the number again.";
        133004 => RETRY, Meta,
            "Meta's server is not available for a moment", "Nothing: the gateway tries again.";
        133005 => GiveUp, Tenant,
            "The two-step PIN is wrong", "Find the right PIN first: guesses are counted.";
        133006 => GiveUp, Operator,
            "The number must be verified again", "Ask for a code and verify the number.";
        133008 => Hold(Feature), Tenant,
            "The PIN was guessed too often", "Wait as long as Meta's details say.";
        133009 => Hold(Feature), Tenant,
            "The PIN was guessed too fast", "Wait as long as Meta's details say.";
        133010 => Hold(Number), Operator,
            "The number is not registered", "Register the number.";
        133015 => retry_after(300, MAX_ATTEMPTS), Meta,
            "The number was deleted a moment ago", "Nothing: the gateway tries again in five minutes.";
        139100 => Fix, Tenant,
            "Some people could not be blocked or unblocked", "Read Meta's details for each.";
        139101 => Fix, Tenant,
            "The block list is full", "Unblock somebody first.";
        139102 => RETRY, Meta,
            "The block list was changed by somebody else at once", "Nothing: the gateway tries again.";
        139103 => RETRY, Meta,
            "The block list failed at Meta", "Nothing: the gateway tries again.";
        147001..=147005 => Fix, Tenant,
            "The username cannot be taken", "Read Meta's details.";
        2388001 => Fix, Operator,
            "The number cannot be migrated yet: ownership", "Meet the condition that Meta names.";
        2388012 => Fix, Operator,
            "The number cannot be migrated: it is already there", "Check both accounts.";
        2388091 => Fix, Operator,
            "The number cannot be migrated yet: its display name", "Have the name approved.";
        2388093 => Fix, Operator,
            "The number cannot be migrated yet: payment", "Set up payment.";
        2388103 => Fix, Operator,
            "The number cannot be migrated yet: two-step verification is on", "Switch it off.";
        2494100 => retry_after(120, MAX_ATTEMPTS), Meta,
            "The number is in maintenance", "Nothing: the gateway tries again in minutes.";
        2494164..=2494179 => Fix, Operator,
            "The in-app signup is not set up correctly", "Read Meta's details.";
        2593079 => GiveUp, Operator,
            "Something of an earlier on-behalf-of migration is left", "Ask Meta's support.";
        2593085 => GiveUp, Operator,
            "Something of an earlier on-behalf-of migration is left", "Ask Meta's support.";
        2593107 => GiveUp, Operator,
            "The coexistence sync was already requested", "Onboard the number again.";
        2593108 => GiveUp, Operator,
            "The coexistence sync was requested more than a day after onboarding", "Onboard the number again.";
        2593109 => Ignore, Tenant,
            "The business does not share its chat history", "Nothing.";
    }
    // Groups and calling.
    "7.6" {
        131020 => GiveUp, Tenant,
            "The group has a single member", "Invite somebody first.";
        131041 => GiveUp, Tenant,
            "The group does not exist or the number is not in it", "Check the group.";
        131201 => Fix, Tenant,
            "The group operation worked for some only", "Read Meta's details for each.";
        131202 => Fix, Tenant,
            "A participant is named twice", "Name each once.";
        131204 => Fix, Tenant,
            "The group would have too many participants", "Name fewer.";
        131207 => GiveUp, Tenant,
            "The group is suspended", "See Meta's notice.";
        131209 => Fix, Tenant,
            "The group's picture is not square", "Use a square picture.";
        131210 => Fix, Tenant,
            "The group's picture is too small", "Use a larger picture.";
        131211 => Fix, Tenant,
            "The number has too many groups", "Delete some.";
        131212 => Fix, Tenant,
            "The person is not in the group", "Check the participants.";
        131213 => Fix, Tenant,
            "The request to join is gone", "List the requests again.";
        131214 => Hold(Feature), Tenant,
            "Creating groups is disabled for the number", "See Meta's notice.";
        131215 => Hold(Feature), Tenant,
            "The number may not use groups", "Meet Meta's conditions for groups.";
        138000 => Hold(Feature), Tenant,
            "Calling is not enabled for the number", "Enable it.";
        138001 => GiveUp, Recipient,
            "The person cannot be called", "Write instead.";
        138002 => Slow(SlowScope::Number), Meta,
            "The number has too many calls at once", "Wait until some have ended.";
        138003 => Fix, Tenant,
            "The call exists already", "End it first.";
        138004 => IN_DOUBT, Meta,
            "The call could not be connected", "Try again.";
        138005 => Slow(SlowScope::Number), Meta,
            "Too many calls in a short time", "Wait.";
        138006 => GiveUp, Recipient,
            "The person has not allowed calls", "Ask for their permission.";
        138007 => IN_DOUBT, Meta,
            "The call could not be connected in time", "Try again.";
        138009 => GiveUp, Tenant,
            "The person was asked for call permission too often", "Wait for their answer.";
        138012 => GiveUp, Tenant,
            "The person was called too often in 24 hours", "Wait a day.";
        138013..=138015 => Hold(Feature), Tenant,
            "The business may not begin calls", "Meet Meta's conditions for calls.";
        138017 => Fix, Tenant,
            "The person has already allowed calls for good", "Call without asking.";
        138018 => Hold(Feature), Tenant,
            "The business may not begin calls", "Meet Meta's conditions for calls.";
        138019..=138023 => GiveUp, Meta,
            "The call broke on its way", "Call again.";
    }
}
