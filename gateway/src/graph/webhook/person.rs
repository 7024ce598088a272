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

/// Meta names at most as many people as it sends messages (facts §1.2). Each message is looked up among them: more
/// would be somebody's attempt to keep us busy.
const MOST: usize = 2_000;

pub(super) fn contacts(elements: &[&RawValue]) -> Vec<Contact> {
    elements
        .iter()
        .take(MOST)
        .filter_map(|raw| contact(&Object::parse(raw.get())?))
        .collect()
}

fn contact(contact: &Object<'_>) -> Option<Contact> {
    let profile = contact.object("profile").unwrap_or_default();
    Some(Contact {
        person: person(contact, &CONTACT)?,
        profile_name: profile.string("name"),
        username: profile.string("username"),
    })
}

/// Under which keys an object names a person (facts §2.3).
pub(super) struct Keys {
    pub(super) phone: &'static str,
    pub(super) user_id: &'static str,
    /// Some have had two spellings.
    pub(super) parents: &'static [&'static str],
}

/// `contacts[]`, `user_preferences[]`, `system`.
pub(super) const CONTACT: Keys = Keys {
    phone: "wa_id",
    user_id: "user_id",
    parents: &["parent_user_id"],
};

/// `messages[]`, and `calls[]` of the person's.
pub(super) const FROM: Keys = Keys {
    phone: "from",
    user_id: "from_user_id",
    parents: &["from_parent_user_id"],
};

/// `message_echoes[]`, and `calls[]` of ours.
pub(super) const TO: Keys = Keys {
    phone: "to",
    user_id: "to_user_id",
    parents: &["to_parent_user_id"],
};

pub(super) fn person(object: &Object<'_>, keys: &Keys) -> Option<PersonRef> {
    let parent = keys.parents.iter().find_map(|key| object.text(key));
    PersonRef::read(
        object.text(keys.phone).as_deref(),
        object.text(keys.user_id).as_deref(),
        parent.as_deref(),
    )
}

/// The person of an element: its own keys, completed from the contact that shares one of them.
///
/// A contact that shares none is taken only when the element names nobody and the contact stands alone: two people in
/// one batch must never become one.
pub(super) fn author(element: &Object<'_>, keys: &Keys, contacts: &[Contact]) -> Author {
    let own = person(element, keys);
    let contact = match (&own, contacts) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(own), contacts) => contacts
            .iter()
            .find(|contact| own.shares_an_id(&contact.person)),
    };
    let Some(contact) = contact else {
        return Author {
            person: own,
            ..Author::default()
        };
    };
    Author {
        person: Some(own.map_or_else(
            || contact.person.clone(),
            |own| own.completed(&contact.person),
        )),
        profile_name: contact.profile_name.clone(),
        username: contact.username.clone(),
    }
}
