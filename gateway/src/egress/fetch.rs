//! One request whose answer is wanted whole: of plugins. Bounded in time and bytes; redirects are answers.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret, SecretString};

use super::{ASKS, Egress, EgressError, reason};
use crate::domain::TenantId;

/// What is asked. Values and body may hold secrets: nothing of them is ever shown.
pub struct Fetch {
    /// Who asks.
    pub tenant: TenantId,
    pub method: &'static str,
    pub url: String,
    /// Names differ.
    pub headers: Vec<(String, SecretString)>,
    pub body: Option<Vec<u8>>,
    pub timeout: Duration,
    /// Bytes of the answer's body.
    pub most: usize,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Fetched {
    /// Of its headers and its body.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        headers + self.body.len()
    }
}

impl Egress {
    /// Sends a request and reads its answer.
    pub async fn fetch(&self, fetch: Fetch) -> Result<Fetched, EgressError> {
        let url = self.parse(&fetch.url)?;
        let method =
            Method::from_bytes(fetch.method.as_bytes()).map_err(|_| EgressError::Header)?;
        let mut request = self
            .single
            .request(method, url)
            .headers(headers(&fetch.headers)?)
            .timeout(fetch.timeout.min(self.config.timeout));
        if let Some(body) = fetch.body {
            request = request.body(body);
        }
        let sent = ASKS.scope(fetch.tenant, request.send()).await;
        let response = sent.map_err(|error| reason(&error))?;
        read(response, fetch.most).await
    }
}

fn headers(asked: &[(String, SecretString)]) -> Result<HeaderMap, EgressError> {
    let mut headers = HeaderMap::new();
    for (name, value) in asked {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EgressError::Header)?;
        let mut value =
            HeaderValue::from_str(value.expose_secret()).map_err(|_| EgressError::Header)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    // What comes encoded could be a bomb, and would hide what it repeats.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(headers)
}

async fn read(mut response: Response, most: usize) -> Result<Fetched, EgressError> {
    let encoding = response.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding.as_bytes() != b"identity") {
        return Err(EgressError::Encoded);
    }
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers: Vec<(String, Vec<u8>)> = headers
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let mut fetched = Fetched {
        status,
        headers,
        body: Vec::new(),
    };
    if fetched.bytes() > HEADER_BYTES
        || response
            .content_length()
            .is_some_and(|long| long > most as u64)
    {
        return Err(EgressError::Large);
    }
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if fetched.body.len() + chunk.len() > most {
            return Err(EgressError::Large);
        }
        fetched.body.extend_from_slice(&chunk);
    }
    Ok(fetched)
}

/// Of an answer. A guess: content security policies and cookies are the longest that honest servers send.
const HEADER_BYTES: usize = 16 << 10;
