//! Who a message is from: `from`, `from_user_id` and the `contacts` beside it, each of which may be missing
//! (facts §2.3).

use serde_json::value::RawValue;

use crate::domain::PersonRef;
use crate::graph::json::Object;

/// One element of `contacts[]`, as far as it names somebody.
pub(super) struct Contact {
    person: PersonRef,
    profile_name: Option<String>,
    username: Option<String>,
}

/// What is known of a message's author.
#[derive(Default)]
pub(super) struct Author {
    pub(super) person: Option<PersonRef>,
    pub(super) profile_name: Option<String>,
    pub(super) username: Option<String>,
}

pub(super) fn contacts(elements: &[&RawValue]) -> Vec<Contact> {
    elements
        .iter()
        .filter_map(|raw| contact(&Object::parse(raw.get())?))
        .collect()
}

fn contact(contact: &Object<'_>) -> Option<Contact> {
    let profile = contact.object("profile").unwrap_or_default();
    Some(Contact {
        person: person(contact, "wa_id", &["user_id", "parent_user_id"])?,
        profile_name: profile.string("name"),
        username: profile.string("username"),
    })
}

/// Reads a person from the phone's key and the first user id that is there. A parent BSUID comes last: it is a name
/// for the same person in a wider scope, better than nobody.
pub(super) fn person(object: &Object<'_>, phone: &str, user_ids: &[&str]) -> Option<PersonRef> {
    let user_id = user_ids.iter().find_map(|key| object.text(key));
    PersonRef::read(object.text(phone).as_deref(), user_id.as_deref())
}

/// The author of a message: its own keys, completed from the contact that shares one of them.
///
/// A contact that shares none is taken only when the message names nobody and the contact stands alone: two people in
/// one batch must never become one.
pub(super) fn author(message: &Object<'_>, contacts: &[Contact]) -> Author {
    let own = person(message, "from", &["from_user_id", "from_parent_user_id"]);
    let contact = match (&own, contacts) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(own), contacts) => contacts
            .iter()
            .find(|contact| shares_an_id(own, &contact.person)),
    };
    let Some(contact) = contact else {
        return Author {
            person: own,
            ..Author::default()
        };
    };
    Author {
        person: Some(completed(own, &contact.person)),
        profile_name: contact.profile_name.clone(),
        username: contact.username.clone(),
    }
}

fn shares_an_id(a: &PersonRef, b: &PersonRef) -> bool {
    match (&a.bsuid, &b.bsuid) {
        (Some(a), Some(b)) => a == b,
        _ => a.phone.is_some() && a.phone == b.phone,
    }
}

fn completed(own: Option<PersonRef>, contact: &PersonRef) -> PersonRef {
    match own {
        None => contact.clone(),
        Some(own) => PersonRef {
            phone: own.phone.or_else(|| contact.phone.clone()),
            bsuid: own.bsuid.or_else(|| contact.bsuid.clone()),
        },
    }
}
