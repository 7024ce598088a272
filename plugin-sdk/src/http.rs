//! Requests to other servers (grant `http`): hosts, methods and paths that the tenant allowed.
//!
//! ```
//! # use vestibule_plugin::{http::{self, Request}, Outcome, Turn};
//! # #[derive(serde::Deserialize)] struct Order { state: String }
//! # fn reply(turn: &mut Turn) -> Outcome {
//! let answer = Request::get("https://shop.example/orders/4711").bearer("shop-token").send()?;
//! if answer.is_success() {
//!     let order: Order = answer.json()?;
//!     turn.reply_text(&order.state)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A secret, and the person's phone number or user id, are named and written in by the gateway: the plugin never sees them.
//! Each request is sent at least once, with an `Idempotency-Key` of the gateway's.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bindings::host::vestibule::plugin::http::{Method, Part};
use crate::{Failure, host};

/// A piece of text.
pub fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

/// A secret of the tenant's, by its name. Grant `secret NAME`.
pub fn secret(name: &str) -> Part {
    Part::Secret(name.to_owned())
}

/// A request; nothing leaves before [`Request::send`].
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub method: Method,
    pub url: String,
    /// Names and the pieces of their values.
    pub headers: Vec<(String, Vec<Part>)>,
    pub body: Option<Body>,
    /// At most the operator's limit.
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Bytes(Vec<u8>),
    /// A JSON document, and texts that are put at these JSON pointers.
    Json(String, Vec<(String, Vec<Part>)>),
}

impl Request {
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: None,
        }
    }

    pub fn get(url: &str) -> Self {
        Self::new(Method::Get, url)
    }

    pub fn post(url: &str) -> Self {
        Self::new(Method::Post, url)
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        self.header_of(name, [text(value)])
    }

    /// A header whose value is put together: `.header_of("x-phone", [Part::Phone])`.
    pub fn header_of(mut self, name: &str, value: impl Into<Vec<Part>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// `authorization: Bearer` and a secret.
    pub fn bearer(self, secret_name: &str) -> Self {
        self.header_of("authorization", [text("Bearer "), secret(secret_name)])
    }

    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body::Bytes(bytes.into()));
        self
    }

    /// A JSON body, sent as `application/json`.
    ///
    /// # Panics
    /// When the value cannot be written as JSON: a map whose keys are no texts.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        let json = serde_json::to_string(value).expect("a value that JSON can hold");
        self.body = Some(Body::Json(json, Vec::new()));
        self
    }

    /// Puts a text into the JSON body, at a JSON pointer: `.put("/customer/phone", [Part::Phone])`. The object that it
    /// goes into must be there. Without a JSON body, into an empty object.
    pub fn put(mut self, at: &str, value: impl Into<Vec<Part>>) -> Self {
        if !matches!(self.body, Some(Body::Json(..))) {
            self.body = Some(Body::Json("{}".to_owned(), Vec::new()));
        }
        if let Some(Body::Json(_, members)) = &mut self.body {
            members.push((at.to_owned(), value.into()));
        }
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it and waits for the answer.
    pub fn send(self) -> Result<Response, HttpError> {
        host::http_send(self)
    }
}

/// What the server said, whatever it was. What repeats a secret or the person's number has `[masked]` in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// A status of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// A grant is missing, or this is not what the tenant allowed.
    Denied(String),
    /// The request cannot be sent as it is.
    Invalid(String),
    /// Requests of the turn, or of the tenant at this moment, are used up.
    Quota(String),
    /// The secret does not exist, or the person has no such address.
    Absent(String),
    /// It may have arrived.
    Timeout,
    TooLarge,
    /// It may have arrived.
    Unreachable(String),
    /// Nothing was sent: in shadow, in a replay, or for want of room.
    Unavailable(String),
    /// For a reason that came after this version of the contract; the text says which. It may have arrived.
    Other(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "the request is not allowed: {why}"),
            Self::Invalid(what) => write!(f, "the request cannot be sent: {what}"),
            Self::Quota(what) => write!(f, "too many requests: {what}"),
            Self::Absent(what) => f.write_str(what),
            Self::Timeout => f.write_str("no answer in time"),
            Self::TooLarge => f.write_str("the answer is too long"),
            Self::Unreachable(why) => write!(f, "the server was not reached: {why}"),
            Self::Unavailable(why) => write!(f, "nothing was sent: {why}"),
            Self::Other(why) => write!(f, "there is no answer: {why}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// How soon a turn is worth trying again after a server did not answer. A guess: a restart takes a second or two.
const PAUSE: Duration = Duration::from_secs(2);

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(_) | HttpError::Absent(_) => Failure::Reject(error.to_string()),
            HttpError::Invalid(_) | HttpError::TooLarge => Failure::Fault(error.to_string()),
            HttpError::Quota(_)
            | HttpError::Timeout
            | HttpError::Unreachable(_)
            | HttpError::Unavailable(_)
            | HttpError::Other(_) => Failure::Retry(PAUSE),
        }
    }
}
