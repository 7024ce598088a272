//! `contacts`: the turn's person, as the tenant keeps them.
//!
//! A turn is about one, so a handle carries nothing. What hooks of the turn change (attributes, language) is answered as
//! they left it, the rest as it was read when the handle was asked for.

use futures::FutureExt;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::bindings::Contact;
use super::bindings::vestibule::plugin::contacts as wit;
use super::bindings::vestibule::plugin::reads::ReadError;
use super::bindings::vestibule::plugin::replies::Purpose;
use super::values::shown_fields;
use super::words::shown;
use crate::domain::DraftClass;
use crate::plugin_host::abi::charge::{Carried, function, waiting_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::reads::{PersonView, ReadRefused};

type P = (Resource<Contact>,);

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    to.resource("contact", ResourceType::host::<Contact>(), |_, _| Ok(()))?;
    waiting_function(to, "current", |state, ()| {
        async move {
            let person = read(state).await;
            let handle = person.map(|_| Resource::<Contact>::new_own(0));
            Ok((handle.map_err(ReadError::from),))
        }
        .boxed()
    })?;
    function(to, "[method]contact.id", |state, _: P| {
        Ok((state.conversation.contact.to_string(),))
    })?;
    function(to, "[method]contact.external-key", |state, _: P| {
        Ok((known(state)?.external_key,))
    })?;
    function(to, "[method]contact.language", |state, _: P| {
        Ok((state.conversation.language.clone(),))
    })?;
    function(
        to,
        "[method]contact.attribute",
        |state, (_, name): (Resource<Contact>, String)| {
            let value = state.conversation.contact_attributes.get(&name);
            Ok((value.map(shown),))
        },
    )?;
    function(to, "[method]contact.attributes", |state, _: P| {
        Ok((shown_fields(&state.conversation.contact_attributes),))
    })?;
    function(
        to,
        "[method]contact.consent",
        |state, (_, purpose): (Resource<Contact>, Purpose)| {
            let class = DraftClass::from(purpose);
            let refused = known(state)?.refused;
            let why = refused.into_iter().find(|(other, _)| *other == class);
            Ok((why.map_or(wit::Consent::Allowed, |(_, why)| wit::Consent::Refused(why)),))
        },
    )
}

async fn read(state: &mut GuestState) -> Result<PersonView, ReadRefused> {
    state.reads(|grants| grants.contacts)?.person().await
}

/// Whoever has a handle has asked for it. No other way leads to one, so an error is a bug of ours.
fn known(state: &GuestState) -> wasmtime::Result<PersonView> {
    let reads = state.reads(|grants| grants.contacts).ok();
    let person = reads.and_then(|reads| reads.known_person().cloned());
    person.ok_or_else(|| wasmtime::Error::msg("nobody asked for this turn's person"))
}

impl Carried for wit::Consent {
    fn carried(&self) -> usize {
        match self {
            Self::Allowed => 1,
            Self::Refused(why) => why.len(),
        }
    }
}
