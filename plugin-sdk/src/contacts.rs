//! The person whom the turn is about, as the tenant keeps them (grant `contacts`).
//!
//! Never a phone number, a user id or a username. The name that a person shows is
//! [`Conversation::display_name`](crate::Conversation::display_name), which needs no grant.

use crate::{Field, Purpose, ReadError, Value, host};

pub use crate::bindings::host::vestibule::plugin::contacts::Consent;

/// The turn's person.
///
/// ```
/// # use vestibule_plugin::{contacts, contacts::Consent, Outcome, Purpose, Turn};
/// # fn reply(turn: &mut Turn) -> Outcome {
/// let person = contacts::current()?;
/// if let Some(key) = person.external_key() {
///     turn.note(&format!("{key} in the CRM"))?;
/// }
/// if person.consent(Purpose::Marketing) == Consent::Allowed {
///     turn.add_tag("newsletter")?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Contact(host::Contact);

/// The person whom the turn is about.
pub fn current() -> Result<Contact, ReadError> {
    host::contact().map(Contact)
}

impl Contact {
    /// Our id (`con_…`), opaque and stable.
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// The tenant's own key of them.
    pub fn external_key(&self) -> Option<String> {
        self.0.external_key()
    }

    /// BCP 47, as the conversation has it now.
    pub fn language(&self) -> Option<String> {
        self.0.language()
    }

    /// An attribute that the tenant has defined.
    pub fn attribute(&self, name: &str) -> Option<Value> {
        self.0.attribute(name)
    }

    /// All of them, by name.
    pub fn attributes(&self) -> Vec<Field> {
        self.0.attributes()
    }

    /// May they be sent this, as far as they have a say? The window is another question.
    pub fn consent(&self, purpose: Purpose) -> Consent {
        self.0.consent(purpose)
    }
}
