//! Faults: what went wrong in a call, with its true cause. A value, never an error that bubbles.

use serde::{Deserialize, Serialize};
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace, WasmtimeBug};

use super::guest_state::GuestState;
use super::hook::Hook;
use super::limits::REASON_CHARS;
use super::words;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{hook}: {message}")]
pub struct Fault {
    pub kind: FaultKind,
    pub hook: Hook,
    /// For the plugin's author: what happened and which limit, if one, was met.
    pub message: String,
    /// Where the guest was, innermost function first, by the names that it carries. Empty when it did not trap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<String>,
    /// Beside each of them where its instruction stands in the component's bytes, 0 when that is not known. Empty for a
    /// component that does not carry the lines of its source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<u64>,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, hook: Hook, message: impl Into<String>) -> Self {
        let message = shortened(&message.into());
        Self {
            kind,
            hook,
            message,
            frames: Vec::new(),
            offsets: Vec::new(),
        }
    }
}

/// The cause. Stable words: metrics, circuit breakers and pages use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Its budget of instructions.
    OutOfFuel,
    /// A refused allocation, also when the guest hid it behind a panic.
    Memory,
    /// Recursion without end.
    Stack,
    /// A panic or another trap.
    Trap,
    /// Too many calls of the host.
    HostCalls,
    /// Too many bytes handed over, in one call or in all.
    OutputBytes,
    /// It returned something that the contract does not allow.
    Malformed,
    /// It says so itself: `failure.fault`.
    Declared,
    /// It ended its program (`wasi:cli/exit`) in the middle of a call.
    Exited,
    /// The component does not fit this host. Found when loading, so a fault of this kind is rare.
    Incompatible,
    /// Ours: no room or no time.
    Overload,
    /// Ours: a bug of the host.
    Internal,
}

impl FaultKind {
    /// Not the plugin's doing: it must not count against its circuit breaker.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Overload | Self::Internal)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::OutOfFuel => "out_of_fuel",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Trap => "trap",
            Self::HostCalls => "host_calls",
            Self::OutputBytes => "output_bytes",
            Self::Malformed => "malformed",
            Self::Declared => "declared",
            Self::Exited => "exited",
            Self::Incompatible => "incompatible",
            Self::Overload => "overload",
            Self::Internal => "internal",
        }
    }
}

/// Finds the true cause of an error that came out of a guest (plugin-hosts.md §3.6).
///
/// Our own flags come before a trap that can have been caused by them: a refused allocation looks like `unreachable`,
/// and a host function that stops the guest like any error. A guest that was refused memory, went on and then looped
/// or recursed without end did that.
pub(super) fn of_error(error: &wasmtime::Error, hook: Hook, state: &GuestState) -> Fault {
    let (frames, offsets) = frames(error);
    Fault {
        frames,
        offsets,
        ..cause(error, hook, state)
    }
}

/// Functions shown of a trap, and characters of a name. A guess: a panic of Rust has a dozen of its own frames.
const FRAMES: usize = 24;
const FRAME_CHARS: usize = 160;

/// Functions and where they stand. Names are the guest's own words: cut, and on one line.
fn frames(error: &wasmtime::Error) -> (Vec<String>, Vec<u64>) {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Default::default();
    };
    let name = |frame: &FrameInfo| match frame.func_name() {
        Some(name) => format!("{:#}", rustc_demangle::demangle(name))
            .chars()
            .filter(|c| !c.is_control())
            .take(FRAME_CHARS)
            .collect(),
        None => format!("function {}", frame.func_index()),
    };
    let frames = || backtrace.frames().iter().take(FRAMES);
    let offset = |frame: &FrameInfo| frame.module_offset().unwrap_or(0) as u64;
    let mut offsets: Vec<_> = frames().map(offset).collect();
    if offsets.iter().all(|&offset| offset == 0) {
        offsets.clear();
    }
    (frames().map(name).collect(), offsets)
}

fn cause(error: &wasmtime::Error, hook: Hook, state: &GuestState) -> Fault {
    if let Some(stop) = state.stopped() {
        return Fault::new(stop.kind, hook, stop.message.clone());
    }
    if let Some(trap @ (Trap::OutOfFuel | Trap::StackOverflow)) = error.downcast_ref::<Trap>() {
        return of_trap(*trap, hook, state);
    }
    if let Some(denied) = state.memory_denied() {
        return Fault::new(FaultKind::Memory, hook, denied);
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return Fault::new(FaultKind::Overload, hook, full.to_string());
    }
    if let Some(bug) = error.downcast_ref::<WasmtimeBug>() {
        return Fault::new(FaultKind::Internal, hook, bug.to_string());
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => of_trap(*trap, hook, state),
        None => of_untyped(error, hook),
    }
}

fn of_trap(trap: Trap, hook: Hook, state: &GuestState) -> Fault {
    match trap {
        Trap::OutOfFuel => Fault::new(
            FaultKind::OutOfFuel,
            hook,
            format!("used up its {} units of fuel", state.limits().fuel),
        ),
        Trap::StackOverflow => Fault::new(FaultKind::Stack, hook, trap.to_string()),
        Trap::UnreachableCodeReached => Fault::new(
            FaultKind::Trap,
            hook,
            "panicked (`unreachable` was executed)",
        ),
        trap => Fault::new(FaultKind::Trap, hook, trap.to_string()),
    }
}

/// wasmtime keeps this error's type to itself; its words are pinned by a test.
const TOO_MUCH_DATA: &str = "fuel allocated for hostcalls has been exhausted";

fn of_untyped(error: &wasmtime::Error, hook: Hook) -> Fault {
    // Around the cause stands a backtrace, with names of the component's choosing: they could say anything.
    let text = error.root_cause().to_string();
    if text.contains(TOO_MUCH_DATA) {
        let message = "handed more bytes to the host in one call than it may";
        return Fault::new(FaultKind::OutputBytes, hook, message);
    }
    // What is left are values that break the canonical ABI: strings that are no UTF-8, pointers out of bounds.
    Fault::new(FaultKind::Malformed, hook, text)
}

/// Cuts text of a guest's choosing, so that a fault can be stored and shown.
pub(super) fn shortened(text: &str) -> String {
    words::shown(text, REASON_CHARS)
}
