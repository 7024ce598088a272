//! The customer's message, as a plugin may see it: never with a phone number, a user id or an id of Meta's.

use crate::host;

pub use crate::bindings::host::vestibule::plugin::inbound::{
    CallPermission, Card as SharedCard, Form, Forwarded, Kind, Location, Media, MediaKind, Order,
    OrderItem, Product as ReferredProduct, Reaction, Referral,
};

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

    /// Equal for equal messages (`msg_…`): reactions and answers name messages by it.
    pub fn token(&self) -> String {
        self.inner.token()
    }

    /// More kinds come as [`Kind::Other`].
    pub fn kind(&self) -> Kind {
        self.inner.kind()
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

    /// The file of a [`Kind::Media`].
    ///
    /// ```
    /// # use vestibule_plugin::{message::MediaKind, Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// match turn.message().media().map(|media| media.kind) {
    ///     Some(MediaKind::Image) => turn.reply_text("Thanks for the picture.")?,
    ///     // Documents, and what WhatsApp invents tomorrow.
    ///     Some(_) => turn.reply_text("Thanks for the file.")?,
    ///     None => {}
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn media(&self) -> Option<Media> {
        self.inner.media()
    }

    pub fn location(&self) -> Option<Location> {
        self.inner.location()
    }

    pub fn reaction(&self) -> Option<Reaction> {
        self.inner.reaction()
    }

    /// Address-book cards; whose they are, nobody has checked.
    pub fn contacts(&self) -> Vec<SharedCard> {
        self.inner.contacts()
    }

    pub fn order(&self) -> Option<Order> {
        self.inner.order()
    }

    /// The answer to a flow or another form.
    ///
    /// ```
    /// # use vestibule_plugin::{Outcome, Turn};
    /// # fn reply(turn: &mut Turn) -> Outcome {
    /// if let Some(form) = turn.message().form() {
    ///     let date = form.fields.iter().find(|field| field.name == "date");
    ///     let date = date.and_then(|field| field.value.text()).unwrap_or("some day");
    ///     turn.reply_text(&format!("See you on {date}."))?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn form(&self) -> Option<Form> {
        self.inner.form()
    }

    pub fn call_permission(&self) -> Option<CallPermission> {
        self.inner.call_permission()
    }

    /// What kind of thing is [`Kind::Unsupported`] or [`Kind::Other`], when Meta says.
    pub fn other_kind(&self) -> Option<String> {
        self.inner.other_kind()
    }

    /// The token of the message that this one answers.
    pub fn answers(&self) -> Option<String> {
        self.inner.answers()
    }

    /// The advertisement or post that it came from.
    pub fn referral(&self) -> Option<Referral> {
        self.inner.referral()
    }

    /// The product from whose page it was written.
    pub fn product(&self) -> Option<ReferredProduct> {
        self.inner.product()
    }

    pub fn forwarded(&self) -> Forwarded {
        self.inner.forwarded()
    }

    /// JSON of the message as Meta sent it, without phone numbers, user ids and Meta's ids.
    pub fn raw(&self) -> String {
        self.inner.raw()
    }
}
