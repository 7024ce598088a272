//! `wasi:filesystem`: there is no directory to begin at, so nobody ever holds a descriptor.
//!
//! The methods stand here by name only, so that whoever imports them can be linked: each takes a handle that does not
//! exist, and wasmtime refuses such a handle before our function is entered.

use wasmtime::component::{Linker, Resource, ResourceType};

use super::{Interface, Wired, name};
use crate::plugin_host::abi::charge::{Element, function};
use crate::plugin_host::fault::FaultKind;
use crate::plugin_host::guest_state::GuestState;

enum Descriptor {}
enum DirectoryEntries {}

impl Element for (Resource<Descriptor>, String) {}

const METHODS: [&str; 28] = [
    "[method]descriptor.read-via-stream",
    "[method]descriptor.write-via-stream",
    "[method]descriptor.append-via-stream",
    "[method]descriptor.advise",
    "[method]descriptor.sync-data",
    "[method]descriptor.get-flags",
    "[method]descriptor.get-type",
    "[method]descriptor.set-size",
    "[method]descriptor.set-times",
    "[method]descriptor.read",
    "[method]descriptor.write",
    "[method]descriptor.read-directory",
    "[method]descriptor.sync",
    "[method]descriptor.create-directory-at",
    "[method]descriptor.stat",
    "[method]descriptor.stat-at",
    "[method]descriptor.set-times-at",
    "[method]descriptor.link-at",
    "[method]descriptor.open-at",
    "[method]descriptor.readlink-at",
    "[method]descriptor.remove-directory-at",
    "[method]descriptor.rename-at",
    "[method]descriptor.symlink-at",
    "[method]descriptor.unlink-file-at",
    "[method]descriptor.is-same-object",
    "[method]descriptor.metadata-hash",
    "[method]descriptor.metadata-hash-at",
    "[method]directory-entry-stream.read-directory-entry",
];

pub(super) fn wire(linker: &mut Linker<GuestState>) -> Wired {
    wire_types(&mut linker.instance(&name("filesystem/types"))?)?;
    let mut to = linker.instance(&name("filesystem/preopens"))?;
    function(&mut to, "get-directories", |_, ()| {
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })
}

fn wire_types(to: &mut Interface<'_>) -> Wired {
    let descriptor = ResourceType::host::<Descriptor>();
    to.resource("descriptor", descriptor, |_, _| Ok(()))?;
    let entries = ResourceType::host::<DirectoryEntries>();
    to.resource("directory-entry-stream", entries, |_, _| Ok(()))?;
    for method in METHODS {
        unreachable(to, method)?;
    }
    // Takes an error of a stream, and there is none either.
    unreachable(to, "filesystem-error-code")
}

fn unreachable(to: &mut Interface<'_>, name: &str) -> Wired {
    to.func_new_async(name, |mut store, _, _, _| {
        Box::new(async move {
            let message = "used a file, and there are none".to_owned();
            Err(store.data_mut().stop(FaultKind::Malformed, message))
        })
    })
}
