//! `conversation`: what was said before, and who has it.

use futures::FutureExt;
use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::conversation as wit;
use super::bindings::vestibule::plugin::reads::ReadError;
use super::values::moment;
use super::words;
use crate::domain::Owner;
use crate::plugin_host::abi::charge::{Carried, Element, waiting_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::reads::{OwnershipView, ReadRefused, Said};

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    waiting_function(to, "recent", |state, (most,): (u32,)| {
        async move {
            let said = past(state, most).await;
            let entries = said.map(|said| said.into_iter().map(wit::Entry::from).collect());
            let entries: Result<Vec<wit::Entry>, _> = entries;
            Ok((entries.map_err(ReadError::from),))
        }
        .boxed()
    })?;
    waiting_function(to, "owned-by", |state, ()| {
        async move {
            let owned = ownership(state).await.map(wit::Ownership::from);
            Ok((owned.map_err(ReadError::from),))
        }
        .boxed()
    })
}

async fn past(state: &mut GuestState, most: u32) -> Result<Vec<Said>, ReadRefused> {
    state.reads(|grants| grants.conversation)?.past(most).await
}

async fn ownership(state: &mut GuestState) -> Result<OwnershipView, ReadRefused> {
    let reads = state.reads(|grants| grants.conversation)?;
    reads.ownership().await
}

impl From<Said> for wit::Entry {
    fn from(said: Said) -> Self {
        Self {
            who: words::speaker(said.who),
            kind: said.kind,
            text: said.text,
            at: moment(said.at),
            token: said.token,
        }
    }
}

impl From<OwnershipView> for wit::Ownership {
    fn from(view: OwnershipView) -> Self {
        Self {
            owner: match view.owner {
                Owner::Bot => wit::Owner::Bot,
                Owner::Queue(name) => wit::Owner::Queue(name),
                Owner::Agent(name) => wit::Owner::Agent(name),
                Owner::External(name) => wit::Owner::Client(name),
            },
            since: view.since.map(moment),
        }
    }
}

impl Element for wit::Entry {}

impl Carried for wit::Entry {
    fn carried(&self) -> usize {
        let who = self.who.carried();
        size_of::<u64>() + who + self.kind.len() + self.text.len() + self.token.carried()
    }
}

impl Carried for wit::Ownership {
    fn carried(&self) -> usize {
        self.owner.carried() + self.since.carried()
    }
}
