//! `wasi:clocks`: the turn's time. The monotonic clock begins there and goes on by what the guest waits for, so that a
//! runtime with timers of its own comes to an end; no wait takes any time.

use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::{Interface, Wired, name};
use crate::plugin_host::abi::charge::{flat, function};
use crate::plugin_host::guest_state::GuestState;

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

flat!(Datetime);

/// Of both clocks: the turn's time has whole milliseconds.
const RESOLUTION: u32 = 1_000_000;

pub(super) fn wire(linker: &mut Linker<GuestState>) -> Wired {
    wire_monotonic(&mut linker.instance(&name("clocks/monotonic-clock"))?)?;
    wire_wall(&mut linker.instance(&name("clocks/wall-clock"))?)
}

fn wire_monotonic(to: &mut Interface<'_>) -> Wired {
    function(to, "now", |state, ()| Ok((state.polite.monotonic(),)))?;
    function(to, "resolution", |_, ()| Ok((u64::from(RESOLUTION),)))?;
    function(to, "subscribe-instant", |state, (when,): (u64,)| {
        Ok((state.polite.subscribe(when)?,))
    })?;
    function(to, "subscribe-duration", |state, (duration,): (u64,)| {
        let when = state.polite.monotonic().saturating_add(duration);
        Ok((state.polite.subscribe(when)?,))
    })
}

fn wire_wall(to: &mut Interface<'_>) -> Wired {
    function(to, "now", |state, ()| {
        let now = u64::try_from(state.request.now.millis()).unwrap_or(0);
        let nanoseconds = u32::try_from(now % 1_000).unwrap_or(0) * RESOLUTION;
        Ok((Datetime {
            seconds: now / 1_000,
            nanoseconds,
        },))
    })?;
    function(to, "resolution", |_, ()| {
        Ok((Datetime {
            seconds: 0,
            nanoseconds: RESOLUTION,
        },))
    })
}
