//! The HTTP client towards Graph: one POST, and an honest word about what became of it. Media calls are in
//! `media/`, those about templates in `templates`, the block list in `blocks`.
//!
//! Graph's send call has no idempotency key (facts §4.1), so the one thing this file must never get wrong is the
//! difference between "never left this machine" and "may have arrived" (promise 5). It retries nothing and logs
//! nothing; tokens, phones and bodies never appear in what it returns.

mod answer;
pub mod blocks;
pub mod call;
mod config;
pub mod media;
mod numbers;
pub mod templates;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::send::Endpoint;
use call::CallError;

pub use answer::{Accepted, GraphError, Refused, SendAnswer, SendOutcome};
pub use config::{HttpClientConfig, http_client};

/// More than any answer to a send; a longer one is not read to its end.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends to one Graph host in one version. Cheap to clone: clones share their connections.
#[derive(Debug, Clone)]
pub struct GraphClient {
    http: reqwest::Client,
    /// `https://graph.facebook.com/v25.0/`: what comes before every path.
    root: String,
}

impl GraphClient {
    /// `http` from [`http_client`]; `base_url` with or without a slash at its end; `version` such as `v25.0`.
    pub fn new(http: reqwest::Client, base_url: &str, version: &str) -> Self {
        let root = format!(
            "{}/{}/",
            base_url.trim_end_matches('/'),
            version.trim_matches('/')
        );
        Self { http, root }
    }

    /// POSTs one send. Never fails: everything that can happen is an outcome.
    ///
    /// `timeout` bounds the whole call. Dropping the future after its first poll leaves the send in doubt.
    #[allow(
        clippy::disallowed_methods,
        reason = "the elapsed time of a call is monotonic time and nothing else"
    )]
    pub async fn send(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        endpoint: Endpoint,
        body: String,
        timeout: Duration,
    ) -> SendAnswer {
        let begun = Instant::now();
        let outcome = self
            .post(token, phone_number_id, endpoint, body, timeout)
            .await;
        SendAnswer {
            outcome,
            elapsed: begun.elapsed(),
        }
    }

    async fn post(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        endpoint: Endpoint,
        body: String,
        timeout: Duration,
    ) -> SendOutcome {
        let Some(bearer) = bearer(token) else {
            return SendOutcome::not_sent("the access token cannot stand in a header");
        };
        if !is_id(phone_number_id) {
            return SendOutcome::not_sent("the phone number id cannot stand in a path");
        }
        let request = self
            .http
            .post(format!(
                "{}{phone_number_id}/{}",
                self.root,
                endpoint.path()
            ))
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/json")
            .timeout(timeout)
            .body(body);
        match request.send().await {
            Ok(response) => answered(response).await,
            Err(error) => unanswered(&error),
        }
    }
}

impl GraphClient {
    /// Where Graph has the object of this id. `what`: the id, for the error.
    fn node(&self, id: &str, what: &'static str) -> Result<String, CallError> {
        match is_id(id) {
            true => Ok(format!("{}{id}", self.root)),
            false => Err(CallError::Argument(what)),
        }
    }
}

/// May it stand in a path?
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// No response. Only what fails while building the request or before the connection stands (name, TCP, TLS) is
/// provably unsent: hyper writes a request to an open connection only.
fn unanswered(error: &reqwest::Error) -> SendOutcome {
    if error.is_builder() {
        SendOutcome::not_sent("the request could not be built")
    } else if error.is_dns() {
        SendOutcome::not_sent("the name of the Graph host did not resolve")
    } else if error.is_connect() {
        SendOutcome::not_sent("no connection to the Graph host")
    } else if error.is_timeout() {
        SendOutcome::in_doubt("no answer in time")
    } else {
        SendOutcome::in_doubt("the connection broke before an answer")
    }
}

async fn answered(response: reqwest::Response) -> SendOutcome {
    let status = response.status().as_u16();
    let retry_after = retry_after(&response);
    match whole(response, MAX_ANSWER).await {
        Ok(body) => answer::read(status, retry_after, &body),
        Err(Unread::Endless) => {
            SendOutcome::in_doubt(format!("HTTP {status} with an endless body"))
        }
        Err(Unread::Broken) => {
            SendOutcome::in_doubt(format!("HTTP {status}, then the connection broke"))
        }
    }
}

/// Why an answer's body was not read to its end.
enum Unread {
    Endless,
    Broken,
}

/// `most`: a longer answer is not read to its end.
async fn whole(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= most => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Err(Unread::Endless),
            Ok(None) => return Ok(body),
            Err(_) => return Err(Unread::Broken),
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is not used by Graph.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let value = response.headers().get(reqwest::header::RETRY_AFTER)?;
    value
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
