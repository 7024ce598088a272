//! The customer's message, as a plugin may see it: never with a phone number or a user id.

use crate::host;

/// What kind of message it is. More kinds will come: match with a `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    Text,
    /// A reply button or a template's button was tapped.
    Button,
    /// A row of a list was chosen.
    ListChoice,
    /// Picture, video, voice note, document, sticker.
    Media,
    Reaction,
    /// Newer than this SDK; see [`Message::raw`].
    Other,
}

/// A view; each call asks the host, so keep what you use twice.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    inner: &'a host::Message,
}

impl<'a> Message<'a> {
    pub(crate) fn new(inner: &'a host::Message) -> Self {
        Self { inner }
    }

    /// Our id of the inbound event (`evt_…`), stable when the turn runs again.
    pub fn id(&self) -> String {
        self.inner.id()
    }

    pub fn kind(&self) -> Kind {
        host::kind(self.inner)
    }

    /// The words: a text's body, a button's or row's title, a caption. Empty when there are none.
    pub fn text(&self) -> String {
        self.inner.text()
    }

    /// The id that the business gave to the button or row that was tapped.
    pub fn payload(&self) -> Option<String> {
        self.inner.payload()
    }

    /// Meta's time of the message, Unix milliseconds.
    pub fn sent_at(&self) -> u64 {
        self.inner.sent_at()
    }

    /// JSON of the message as Meta sent it, without phone numbers and user ids.
    pub fn raw(&self) -> String {
        self.inner.raw()
    }
}
