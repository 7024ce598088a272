//! `occasions`: the event, timer or receipt of a turn without a message, as resources.

use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::bindings::{Event, Receipt, Timer};
use super::values::{moment, shown_fields};
use super::words::{self, shown};
use crate::domain::attribute::Fields;
use crate::domain::{self, Occasion, OpenWord};
use crate::plugin_host::abi::charge::function;
use crate::plugin_host::guest_state::GuestState;

type Wired = wasmtime::Result<()>;
type Of<T> = (Resource<T>,);
type FieldOf<T> = (Resource<T>, String);

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    wire_event(to)?;
    wire_timer(to)?;
    wire_receipt(to)
}

fn wire_event(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    to.resource("event", ResourceType::host::<Event>(), |_, _| Ok(()))?;
    function(to, "[method]event.id", |state, _: Of<Event>| {
        let (id, ..) = event(state)?;
        Ok((id.to_owned(),))
    })?;
    function(to, "[method]event.name", |state, _: Of<Event>| {
        let (_, name, _) = event(state)?;
        Ok((name.to_owned(),))
    })?;
    function(to, "[method]event.at", |state, _: Of<Event>| {
        Ok((moment(state.occasion()?.at),))
    })?;
    function(
        to,
        "[method]event.field",
        |state, (_, name): FieldOf<Event>| {
            let (.., fields) = event(state)?;
            Ok((fields.get(&name).map(shown),))
        },
    )?;
    function(to, "[method]event.fields", |state, _: Of<Event>| {
        let (.., fields) = event(state)?;
        Ok((shown_fields(fields),))
    })
}

fn wire_timer(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    to.resource("timer", ResourceType::host::<Timer>(), |_, _| Ok(()))?;
    function(to, "[method]timer.name", |state, _: Of<Timer>| {
        Ok((timer(state)?.name.to_owned(),))
    })?;
    function(to, "[method]timer.set-at", |state, _: Of<Timer>| {
        Ok((moment(timer(state)?.set_at),))
    })?;
    function(to, "[method]timer.due-at", |state, _: Of<Timer>| {
        Ok((moment(timer(state)?.due_at),))
    })?;
    function(
        to,
        "[method]timer.field",
        |state, (_, name): FieldOf<Timer>| Ok((timer(state)?.fields.get(&name).map(shown),)),
    )?;
    function(to, "[method]timer.fields", |state, _: Of<Timer>| {
        Ok((shown_fields(timer(state)?.fields),))
    })
}

fn wire_receipt(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    to.resource("receipt", ResourceType::host::<Receipt>(), |_, _| Ok(()))?;
    function(to, "[method]receipt.send", |state, _: Of<Receipt>| {
        let (send, ..) = receipt(state)?;
        Ok((send.to_string(),))
    })?;
    function(to, "[method]receipt.status", |state, _: Of<Receipt>| {
        let (_, status, _) = receipt(state)?;
        // A hook that has no case for it is not called.
        Ok((words::receipt_status(status).ok_or_else(other)?,))
    })?;
    function(to, "[method]receipt.at", |state, _: Of<Receipt>| {
        Ok((moment(state.occasion()?.at),))
    })?;
    function(to, "[method]receipt.error", |state, _: Of<Receipt>| {
        let (.., error) = receipt(state)?;
        Ok((error,))
    })
}

fn other() -> wasmtime::Error {
    wasmtime::Error::msg("this turn is about another occasion")
}

fn event(state: &GuestState) -> wasmtime::Result<(&str, &str, &Fields)> {
    match &state.occasion()?.occasion {
        Occasion::Event { id, name, fields } => Ok((id, name, fields)),
        _ => Err(other()),
    }
}

struct TimerView<'a> {
    name: &'a str,
    set_at: domain::Timestamp,
    due_at: domain::Timestamp,
    fields: &'a Fields,
}

fn timer(state: &GuestState) -> wasmtime::Result<TimerView<'_>> {
    match &state.occasion()?.occasion {
        Occasion::Timer {
            name,
            set_at,
            due_at,
            fields,
            ..
        } => Ok(TimerView {
            name,
            set_at: *set_at,
            due_at: *due_at,
            fields,
        }),
        _ => Err(other()),
    }
}

type ReceiptView<'a> = (
    domain::OutboxId,
    &'a OpenWord<domain::ReceiptStatus>,
    Option<i64>,
);

fn receipt(state: &GuestState) -> wasmtime::Result<ReceiptView<'_>> {
    match &state.occasion()?.occasion {
        Occasion::Receipt {
            send,
            status,
            error,
        } => Ok((*send, status, *error)),
        _ => Err(other()),
    }
}
