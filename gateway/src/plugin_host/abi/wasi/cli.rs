//! `wasi:cli`: no environment, no arguments, no terminal; the three streams; and an exit that ends the call.

use wasmtime::component::{Linker, Resource, ResourceType};

use super::io::{input, output};
use super::{Interface, Wired, name};
use crate::plugin_host::abi::charge::{Element, function};
use crate::plugin_host::fault::FaultKind;
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::polite::Stream;

/// `wasi:cli/terminal-input.terminal-input`: nobody has one.
enum TerminalInput {}

/// `wasi:cli/terminal-output.terminal-output`: nobody has one.
enum TerminalOutput {}

impl Element for (String, String) {}

pub(super) fn wire(linker: &mut Linker<GuestState>) -> Wired {
    wire_environment(&mut linker.instance(&name("cli/environment"))?)?;
    wire_exit(&mut linker.instance(&name("cli/exit"))?)?;
    wire_streams(linker)?;
    wire_terminals(linker)
}

fn wire_environment(to: &mut Interface<'_>) -> Wired {
    function(to, "get-environment", |_, ()| {
        Ok((Vec::<(String, String)>::new(),))
    })?;
    function(to, "get-arguments", |_, ()| Ok((Vec::<String>::new(),)))?;
    function(to, "initial-cwd", |_, ()| Ok((None::<String>,)))
}

fn wire_exit(to: &mut Interface<'_>) -> Wired {
    function(to, "exit", |state, (status,): (Result<(), ()>,)| {
        exit(state, u8::from(status.is_err()))
    })?;
    function(to, "exit-with-code", |state, (code,): (u8,)| {
        exit(state, code)
    })
}

/// A hook that ends its program has no result, whatever it says.
fn exit(state: &mut GuestState, code: u8) -> wasmtime::Result<()> {
    let message = format!("ended its program with exit code {code} instead of returning");
    Err(state.stop(FaultKind::Exited, message))
}

fn wire_streams(linker: &mut Linker<GuestState>) -> Wired {
    let mut to = linker.instance(&name("cli/stdin"))?;
    function(&mut to, "get-stdin", |_, ()| Ok((input(),)))?;
    let mut to = linker.instance(&name("cli/stdout"))?;
    function(&mut to, "get-stdout", |_, ()| Ok((output(Stream::Out),)))?;
    let mut to = linker.instance(&name("cli/stderr"))?;
    function(&mut to, "get-stderr", |_, ()| Ok((output(Stream::Err),)))
}

fn wire_terminals(linker: &mut Linker<GuestState>) -> Wired {
    let mut to = linker.instance(&name("cli/terminal-input"))?;
    let input = ResourceType::host::<TerminalInput>();
    to.resource("terminal-input", input, |_, _| Ok(()))?;
    let mut to = linker.instance(&name("cli/terminal-output"))?;
    let output = ResourceType::host::<TerminalOutput>();
    to.resource("terminal-output", output, |_, _| Ok(()))?;
    let mut to = linker.instance(&name("cli/terminal-stdin"))?;
    function(&mut to, "get-terminal-stdin", |_, ()| {
        Ok((None::<Resource<TerminalInput>>,))
    })?;
    for stream in ["stdout", "stderr"] {
        let mut to = linker.instance(&name(&format!("cli/terminal-{stream}")))?;
        function(&mut to, &format!("get-terminal-{stream}"), |_, ()| {
            Ok((None::<Resource<TerminalOutput>>,))
        })?;
    }
    Ok(())
}
