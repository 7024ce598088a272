//! `effects`: what a plugin wants to happen beside what it says. The rules are in [`crate::plugin_host::effect`].

use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::effects::{Due, OptOutScope, Receiver};
use super::bindings::vestibule::plugin::refusal::EffectError;
use super::bindings::vestibule::plugin::types::{Field, Value};
use super::values::{meant_fields, meant_number, timestamp};
use super::words::meant;
use crate::domain::Owner;
use crate::plugin_host::abi::charge::{Carried, flat, function};
use crate::plugin_host::effect::Effect;
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::limits::TIMER_LEAST;

type Wired = wasmtime::Result<()>;
type Asked = Result<(), EffectError>;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    wire_attributes(to)?;
    wire_facts(to)?;
    wire_actions(to)?;
    wire_timers(to)?;
    wire_consent(to)
}

/// Checks an effect and keeps it aside.
pub(super) fn ask(state: &mut GuestState, effect: Effect) -> Asked {
    state.push(effect).map_err(EffectError::from)
}

/// The same, of what may not be one.
fn ask_if(state: &mut GuestState, effect: Result<Effect, String>) -> Asked {
    ask(state, effect.map_err(EffectError::Invalid)?)
}

fn due_at(state: &GuestState, due: &Due) -> crate::domain::Timestamp {
    let at = match *due {
        Due::At(moment) => timestamp(moment),
        Due::After(millis) => state.in_millis(millis),
    };
    at.max(state.request.now.plus(TIMER_LEAST))
}

fn wire_attributes(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(
        to,
        "set-attribute",
        |state, (key, value): (String, Value)| {
            let value = meant(value);
            Ok((ask_if(
                state,
                value.map(|value| Effect::SetAttribute { key, value }),
            ),))
        },
    )?;
    function(to, "remove-attribute", |state, (key,): (String,)| {
        Ok((ask(state, Effect::RemoveAttribute { key }),))
    })?;
    function(
        to,
        "set-contact-attribute",
        |state, (key, value): (String, Value)| {
            let effect = meant(value).map(|value| Effect::SetContactAttribute {
                key,
                value: Some(value),
            });
            Ok((ask_if(state, effect),))
        },
    )?;
    function(
        to,
        "remove-contact-attribute",
        |state, (key,): (String,)| {
            Ok((ask(state, Effect::SetContactAttribute { key, value: None }),))
        },
    )
}

fn wire_facts(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "set-language", |state, (language,): (String,)| {
        Ok((ask(state, Effect::SetLanguage { language }),))
    })?;
    function(to, "add-tag", |state, (tag,): (String,)| {
        Ok((ask(state, Effect::AddTag { tag }),))
    })?;
    function(to, "remove-tag", |state, (tag,): (String,)| {
        Ok((ask(state, Effect::RemoveTag { tag }),))
    })?;
    function(to, "note", |state, (text,): (String,)| {
        Ok((ask(state, Effect::Note { text }),))
    })?;
    function(to, "metric", |state, (name, value): (String, f64)| {
        let value = meant_number(value);
        Ok((ask_if(
            state,
            value.map(|value| Effect::Metric { name, value }),
        ),))
    })?;
    function(to, "emit", |state, (name, fields): (String, Vec<Field>)| {
        let fields = meant_fields(fields);
        Ok((ask_if(
            state,
            fields.map(|fields| Effect::Emit { name, fields }),
        ),))
    })
}

fn wire_actions(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(
        to,
        "hand-over",
        |state, (to, note): (Receiver, Option<String>)| {
            let to = match to {
                Receiver::Queue(name) => Owner::Queue(name),
                Receiver::Agent(name) => Owner::Agent(name),
            };
            Ok((ask(state, Effect::HandOver { to, note }),))
        },
    )?;
    function(to, "close", |state, ()| Ok((ask(state, Effect::Close),)))
}

fn wire_timers(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(
        to,
        "set-timer",
        |state, (name, due, fields): (String, Due, Vec<Field>)| {
            let due_at = due_at(state, &due);
            let effect = meant_fields(fields).map(|fields| Effect::SetTimer {
                name,
                due_at,
                fields,
            });
            Ok((ask_if(state, effect),))
        },
    )?;
    function(to, "cancel-timer", |state, (name,): (String,)| {
        Ok((ask(state, Effect::CancelTimer { name }),))
    })
}

fn wire_consent(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "opt-out", |state, (scope,): (OptOutScope,)| {
        let marketing = scope == OptOutScope::Marketing;
        Ok((ask(state, Effect::OptOut { marketing }),))
    })?;
    function(to, "opt-in", |state, (words,): (String,)| {
        Ok((ask(state, Effect::OptIn { words }),))
    })
}

flat!(OptOutScope, Due);

impl Carried for Receiver {
    fn carried(&self) -> usize {
        match self {
            Self::Queue(name) | Self::Agent(name) => name.len(),
        }
    }
}
