//! `effects`: what a plugin wants to happen beside what it says. The rules are in [`crate::plugin_host::effect`].

use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::effects::{Due, OptOutScope, Receiver};
use super::bindings::vestibule::plugin::refusal::EffectError;
use super::bindings::vestibule::plugin::types::{Field, Value};
use super::values::{meant, meant_fields, meant_number, timestamp};
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

impl GuestState {
    /// Checks an effect and keeps it aside.
    pub(super) fn ask(&mut self, effect: Effect) -> Asked {
        self.push(effect).map_err(EffectError::from)
    }

    /// The same, of what may not be one.
    fn ask_if(&mut self, effect: Result<Effect, String>) -> Asked {
        self.ask(effect.map_err(EffectError::Invalid)?)
    }

    fn due_at(&self, due: &Due) -> crate::domain::Timestamp {
        let at = match *due {
            Due::At(moment) => timestamp(moment),
            Due::After(millis) => self.in_millis(millis),
        };
        at.max(self.request.now.plus(TIMER_LEAST))
    }
}

fn wire_attributes(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(
        to,
        "set-attribute",
        |state, (key, value): (String, Value)| {
            let value = meant(value);
            Ok((state.ask_if(value.map(|value| Effect::SetAttribute { key, value })),))
        },
    )?;
    function(to, "remove-attribute", |state, (key,): (String,)| {
        Ok((state.ask(Effect::RemoveAttribute { key }),))
    })?;
    function(
        to,
        "set-contact-attribute",
        |state, (key, value): (String, Value)| {
            let effect = meant(value).map(|value| Effect::SetContactAttribute {
                key,
                value: Some(value),
            });
            Ok((state.ask_if(effect),))
        },
    )?;
    function(
        to,
        "remove-contact-attribute",
        |state, (key,): (String,)| {
            Ok((state.ask(Effect::SetContactAttribute { key, value: None }),))
        },
    )
}

fn wire_facts(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "set-language", |state, (language,): (String,)| {
        Ok((state.ask(Effect::SetLanguage { language }),))
    })?;
    function(to, "add-tag", |state, (tag,): (String,)| {
        Ok((state.ask(Effect::AddTag { tag }),))
    })?;
    function(to, "remove-tag", |state, (tag,): (String,)| {
        Ok((state.ask(Effect::RemoveTag { tag }),))
    })?;
    function(to, "note", |state, (text,): (String,)| {
        Ok((state.ask(Effect::Note { text }),))
    })?;
    function(to, "metric", |state, (name, value): (String, f64)| {
        let value = meant_number(value);
        Ok((state.ask_if(value.map(|value| Effect::Metric { name, value })),))
    })?;
    function(to, "emit", |state, (name, fields): (String, Vec<Field>)| {
        let fields = meant_fields(fields);
        Ok((state.ask_if(fields.map(|fields| Effect::Emit { name, fields })),))
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
            Ok((state.ask(Effect::HandOver { to, note }),))
        },
    )?;
    function(to, "close", |state, ()| Ok((state.ask(Effect::Close),)))
}

fn wire_timers(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(
        to,
        "set-timer",
        |state, (name, due, fields): (String, Due, Vec<Field>)| {
            let due_at = state.due_at(&due);
            let effect = meant_fields(fields).map(|fields| Effect::SetTimer {
                name,
                due_at,
                fields,
            });
            Ok((state.ask_if(effect),))
        },
    )?;
    function(to, "cancel-timer", |state, (name,): (String,)| {
        Ok((state.ask(Effect::CancelTimer { name }),))
    })
}

fn wire_consent(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "opt-out", |state, (scope,): (OptOutScope,)| {
        let marketing = scope == OptOutScope::Marketing;
        Ok((state.ask(Effect::OptOut { marketing }),))
    })?;
    function(to, "opt-in", |state, (words,): (String,)| {
        Ok((state.ask(Effect::OptIn { words }),))
    })
}

flat!(OptOutScope, Due, f64);

impl Carried for Receiver {
    fn carried(&self) -> usize {
        match self {
            Self::Queue(name) | Self::Agent(name) => name.len(),
        }
    }
}
