//! The conversation that the message belongs to, as a plugin may see it.

use crate::{Field, Value, host};

/// A view; each call asks the host, so keep what you use twice.
#[derive(Clone, Copy)]
pub struct Conversation<'a> {
    inner: &'a host::Conversation,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(inner: &'a host::Conversation) -> Self {
        Self { inner }
    }

    /// Our id (`cnv_…`), opaque and stable: a good key for [`crate::kv`].
    pub fn id(&self) -> String {
        self.inner.id()
    }

    /// Our id of the contact (`con_…`), opaque and stable.
    pub fn contact(&self) -> String {
        self.inner.contact()
    }

    /// The name the customer shows, when Meta sent one.
    pub fn display_name(&self) -> Option<String> {
        self.inner.display_name()
    }

    /// BCP 47 language, when known.
    pub fn language(&self) -> Option<String> {
        self.inner.language()
    }

    /// An attribute, as earlier turns and earlier hooks of this one left it.
    ///
    /// ```
    /// # use vestibule_plugin::{Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// let tier = turn.conversation().attribute("tier");
    /// let gold = tier.is_some_and(|tier| tier.text() == Some("gold"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn attribute(&self, key: &str) -> Option<Value> {
        self.inner.attribute(key)
    }

    /// All attributes, by name.
    pub fn attributes(&self) -> Vec<Field> {
        self.inner.attributes()
    }

    /// An attribute of the contact that the tenant has defined.
    pub fn contact_attribute(&self, key: &str) -> Option<Value> {
        self.inner.contact_attribute(key)
    }

    /// Tags, sorted, as earlier turns and earlier hooks of this one left them.
    pub fn tags(&self) -> Vec<String> {
        self.inner.tags()
    }

    /// Is this the first message of the conversation, or the first since it was closed?
    pub fn is_new(&self) -> bool {
        self.inner.is_new()
    }

    /// Has the bot the conversation? While it has not, [`crate::OnEvent`] and [`crate::OnReceipt`] may note facts only.
    pub fn is_the_bots(&self) -> bool {
        self.inner.is_the_bots()
    }
}
