//! `wasi:io`: streams that are closed or the log, and waits that end at once.

use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::{Interface, Wired, name};
use crate::plugin_host::abi::charge::{Element, flat, function};
use crate::plugin_host::fault::FaultKind;
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::polite::{Pollable, Stream};

/// `wasi:io/error.error`: there is none, no operation ever fails in a way of its own.
pub(super) enum IoError {}

/// `wasi:io/streams.input-stream`: nothing comes.
pub(super) enum Input {}

/// `wasi:io/streams.output-stream`: which one is its handle's number.
pub(super) enum Output {}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "a case of WASI's")]
    Failed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

flat!(StreamError);
impl Element for u32 {}
impl<T: 'static> Element for Resource<T> {}

type Answer<T> = (Result<T, StreamError>,);
type O = Resource<Output>;
type I = Resource<Input>;

/// What may be written at once: more than a runtime's buffer, less than would be cut from a line.
const WRITE_BYTES: u64 = 64 << 10;

pub(super) fn output(stream: Stream) -> O {
    Resource::new_own(stream as u32)
}

pub(super) fn input() -> I {
    Resource::new_own(0)
}

pub(super) fn wire(linker: &mut Linker<GuestState>) -> Wired {
    wire_error(&mut linker.instance(&name("io/error"))?)?;
    wire_poll(&mut linker.instance(&name("io/poll"))?)?;
    let streams = &mut linker.instance(&name("io/streams"))?;
    streams.resource("input-stream", ResourceType::host::<Input>(), |_, _| Ok(()))?;
    streams.resource("output-stream", ResourceType::host::<Output>(), |_, _| {
        Ok(())
    })?;
    wire_input(streams)?;
    wire_output(streams)
}

fn wire_error(to: &mut Interface<'_>) -> Wired {
    to.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    function(
        to,
        "[method]error.to-debug-string",
        |_, _: (Resource<IoError>,)| Ok((String::new(),)),
    )
}

fn wire_poll(to: &mut Interface<'_>) -> Wired {
    type P = (Resource<Pollable>,);
    let pollable = ResourceType::host::<Pollable>();
    to.resource("pollable", pollable, |mut store, number| {
        store.data_mut().polite.forget(Resource::new_own(number))
    })?;
    function(to, "[method]pollable.ready", |state, (pollable,): P| {
        Ok((state.polite.is_ready(&pollable)?,))
    })?;
    function(to, "[method]pollable.block", |state, (pollable,): P| {
        state.polite.wait(&[pollable])?;
        Ok(())
    })?;
    function(to, "poll", |state, (all,): (Vec<Resource<Pollable>>,)| {
        if all.is_empty() {
            return Err(state.stop(FaultKind::Malformed, "waited for nothing".to_owned()));
        }
        Ok((state.polite.wait(&all)?,))
    })
}

fn wire_input(to: &mut Interface<'_>) -> Wired {
    for read in ["read", "blocking-read"] {
        let name = format!("[method]input-stream.{read}");
        function(to, &name, |_, _: (I, u64)| {
            let end: Answer<Vec<u8>> = (Err(StreamError::Closed),);
            Ok(end)
        })?;
    }
    for skip in ["skip", "blocking-skip"] {
        let name = format!("[method]input-stream.{skip}");
        function(to, &name, |_, _: (I, u64)| {
            let end: Answer<u64> = (Err(StreamError::Closed),);
            Ok(end)
        })?;
    }
    function(to, "[method]input-stream.subscribe", |state, _: (I,)| {
        Ok((state.polite.subscribe(0)?,))
    })
}

fn wire_output(to: &mut Interface<'_>) -> Wired {
    function(to, "[method]output-stream.check-write", |_, _: (O,)| {
        let room: Answer<u64> = (Ok(WRITE_BYTES),);
        Ok(room)
    })?;
    for write in ["write", "blocking-write-and-flush"] {
        let name = format!("[method]output-stream.{write}");
        function(to, &name, |state, (to, bytes): (O, Vec<u8>)| {
            state.write_line(stream_of(&to), &bytes);
            done()
        })?;
    }
    for flush in ["flush", "blocking-flush"] {
        let name = format!("[method]output-stream.{flush}");
        function(to, &name, |_, _: (O,)| done())?;
    }
    // Zeroes are nothing that a line of a log could show.
    for zeroes in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        let name = format!("[method]output-stream.{zeroes}");
        function(to, &name, |_, _: (O, u64)| done())?;
    }
    for splice in ["splice", "blocking-splice"] {
        let name = format!("[method]output-stream.{splice}");
        function(to, &name, |_, _: (O, I, u64)| {
            let end: Answer<u64> = (Err(StreamError::Closed),);
            Ok(end)
        })?;
    }
    function(to, "[method]output-stream.subscribe", |state, _: (O,)| {
        Ok((state.polite.subscribe(0)?,))
    })
}

fn done() -> wasmtime::Result<Answer<()>> {
    Ok((Ok(()),))
}

fn stream_of(output: &O) -> Stream {
    if output.rep() == Stream::Err as u32 {
        Stream::Err
    } else {
        Stream::Out
    }
}
