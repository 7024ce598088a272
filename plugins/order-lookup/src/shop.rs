//! The shop's server: asked by POST for one order, with the shop's token and who asks.
//!
//! `{"order": "4711", "phone": "+4915112345678"}` is answered `{"state": "shipped"}`, or 404.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vestibule_plugin::http::{Part, Request, Response};

use crate::settings::{Customer, Settings};

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    State(String),
    NoSuchOrder,
    /// No answer that a customer could be told, and why in words for the tenant.
    Nothing(String),
}

#[derive(Serialize)]
struct Question<'a> {
    order: &'a str,
}

#[derive(Deserialize)]
struct Order {
    state: String,
}

/// Longer ones are no state of an order.
const STATE_CHARS: usize = 500;

pub(crate) fn ask(order: &str, settings: &Settings) -> Answer {
    let request = Request::post(&settings.address)
        .bearer(&settings.secret)
        .json(&Question { order })
        .timeout(Duration::from_millis(settings.timeout_ms));
    let request = match settings.customer {
        Customer::Phone => request.put("/phone", [Part::Phone]),
        Customer::Bsuid => request.put("/bsuid", [Part::Bsuid]),
        Customer::Nobody => request,
    };
    match request.send() {
        Ok(response) => read(&response),
        // Whatever it was, somebody has to look at it, and the customer is not made to wait for that.
        Err(error) => Answer::Nothing(error.to_string()),
    }
}

fn read(response: &Response) -> Answer {
    match response.status {
        404 => Answer::NoSuchOrder,
        200..=299 => match response.json::<Order>() {
            Ok(order) if is_state(&order.state) => Answer::State(order.state),
            _ => Answer::Nothing("the shop's answer is no order's state".to_owned()),
        },
        status => Answer::Nothing(format!("the shop answered {status}")),
    }
}

fn is_state(state: &str) -> bool {
    !state.trim().is_empty() && state.chars().count() <= STATE_CHARS
}
