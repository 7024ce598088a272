//! What a scripted customer sends: any kind of message.

use crate::message::{
    CallPermission, Form, Forwarded, Kind, Location, Media, Order, Reaction, Referral,
    ReferredProduct, SharedCard,
};

/// A message for [`Customer::sends_message`](super::Customer::sends_message): set what it has.
///
/// ```
/// # use vestibule_plugin::testing::Incoming;
/// # use vestibule_plugin::message::{Kind, Location};
/// let place = Location { latitude: 52.52, longitude: 13.405, name: None, address: None, url: None };
/// let here = Incoming { kind: Kind::Location, location: Some(place), ..Incoming::text("") };
/// ```
#[derive(Debug, Clone)]
pub struct Incoming {
    pub kind: Kind,
    pub text: String,
    pub payload: Option<String>,
    pub media: Option<Media>,
    pub location: Option<Location>,
    pub reaction: Option<Reaction>,
    pub contacts: Vec<SharedCard>,
    pub order: Option<Order>,
    pub form: Option<Form>,
    pub call_permission: Option<CallPermission>,
    pub other_kind: Option<String>,
    pub answers: Option<String>,
    pub referral: Option<Referral>,
    pub product: Option<ReferredProduct>,
    pub forwarded: Forwarded,
}

impl Incoming {
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Text,
            text: text.into(),
            payload: None,
            media: None,
            location: None,
            reaction: None,
            contacts: Vec::new(),
            order: None,
            form: None,
            call_permission: None,
            other_kind: None,
            answers: None,
            referral: None,
            product: None,
            forwarded: Forwarded::No,
        }
    }
}
