//! Requests to addresses that tenants choose: hooks out, and what plugins ask. Nothing inside our own network is reached by them.
//!
//! A name is resolved once, in a room for look-ups that a tenant fills its part of and no more (`lookups.rs`), what is not
//! public is taken out, and the connection goes to what is left: there is no second look-up that could answer something
//! else. No redirect is followed, no proxy is asked, no cookie is kept. An operator may allow private addresses and plain
//! `http` for a laboratory; then for every tenant.

mod fetch;
mod lookups;
mod public;
mod resolve;
mod room;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Url, header};

use crate::config::Network;
use crate::domain::TenantId;
pub use fetch::{Fetch, Fetched};
use lookups::{Busy, Lookups};
pub use lookups::{Lookup, LookupLimits, SystemLookup};
use resolve::{ASKS, Guard, NotPublic};
pub use room::{Inside, Room};

/// How requests go out.
#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// Private, loopback and link-local addresses, and `http`. For laboratories and tests.
    pub allow_private_addresses: bool,
    /// Denied in addition, whatever else is allowed.
    pub denied_networks: Vec<Network>,
    pub connect_timeout: Duration,
    /// Of a whole request.
    pub timeout: Duration,
    /// Hosts, with their ports (`erp.example:8080`), that plugins may ask by plain `http`.
    pub plain_hosts: Vec<String>,
    pub lookups: LookupLimits,
}

impl EgressConfig {
    fn allows(&self, address: IpAddr) -> bool {
        let is_denied = |address| {
            let mut denied = self.denied_networks.iter();
            denied.any(|network| network.contains(address))
        };
        !public::reached(address).any(is_denied)
            && (self.allow_private_addresses || public::is_public(address))
    }
}

/// Why a URL is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("is no URL")]
    Malformed,
    #[error("must begin with https://")]
    Scheme,
    #[error("must not carry a user name or password")]
    Credentials,
    #[error("must have a host name")]
    Host,
    #[error("is an address that is not public, or that the operator denies")]
    Private,
    #[error("must have at most 2000 characters")]
    Long,
}

/// Why a request brought no answer. Neither URL nor body stands in it: both may be secret.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("the URL {0}")]
    Url(#[from] UrlError),
    #[error("no answer in time")]
    Timeout,
    /// In the words of the next one: the difference tells which names there are inside.
    #[error("no connection to a public address")]
    NotPublic,
    #[error("no connection to a public address")]
    Connect,
    #[error("as many names are being looked up as can be")]
    Busy,
    #[error("the connection broke")]
    Broken,
    #[error("the answer is too long")]
    Large,
    #[error("the answer is encoded")]
    Encoded,
    #[error("a header's name or value cannot be sent")]
    Header,
}

/// An answer, as far as we look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// `Retry-After` in seconds, when it says so.
    pub retry_after: Option<Duration>,
}

/// The way out. Cheap to clone: clones share their connections.
#[derive(Debug, Clone)]
pub struct Egress {
    http: reqwest::Client,
    /// A connection for each request. Plugins of many tenants ask the same shops: on a connection that they shared, what
    /// one leaves behind could be read as the beginning of another's.
    single: reqwest::Client,
    config: Arc<EgressConfig>,
}

const LONGEST_URL: usize = 2000;
/// Of an answer's body, so that its connection can be used again; what is longer closes it.
const BODY_READ: usize = 16 << 10;

impl Egress {
    pub fn new(config: EgressConfig) -> reqwest::Result<Self> {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// With somebody else who knows the addresses of names.
    pub fn with_lookup(config: EgressConfig, lookup: Arc<dyn Lookup>) -> reqwest::Result<Self> {
        let config = Arc::new(config);
        let lookups = Lookups::new(lookup, config.lookups);
        // Thousands of endpoints: a connection to each would be kept for nothing.
        let http = client(&config, lookups.clone())
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(4);
        let single = client(&config, lookups).pool_max_idle_per_host(0);
        Ok(Self {
            http: http.build()?,
            single: single.build()?,
            config,
        })
    }

    /// Is this a URL that we would ask? What its name resolves to is looked at with each request.
    pub fn check(&self, url: &str) -> Result<(), UrlError> {
        self.parse(url).map(|_| ())
    }

    fn parse(&self, url: &str) -> Result<Url, UrlError> {
        if url.len() > LONGEST_URL {
            return Err(UrlError::Long);
        }
        let url = Url::parse(url).map_err(|_| UrlError::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if self.config.allow_private_addresses || self.is_plain(&url) => {}
            _ => return Err(UrlError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(UrlError::Host)?;
        // An address is connected to without asking the resolver. The parser has normalised `0x7f.1` and the like.
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        match literal {
            Some(address) if !self.config.allows(address) => Err(UrlError::Private),
            _ => Ok(url),
        }
    }

    fn is_plain(&self, url: &Url) -> bool {
        let port = url.port_or_known_default().unwrap_or(0);
        let host = url.host_str().map(|host| format!("{host}:{port}"));
        host.is_some_and(|host| self.config.plain_hosts.contains(&host))
    }

    /// POSTs JSON for a tenant. Whatever the endpoint answers is an answer.
    pub async fn post(
        &self,
        tenant: TenantId,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<Answer, EgressError> {
        let url = self.parse(url)?;
        let mut request = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let sent = ASKS.scope(tenant, request.send()).await;
        let mut response = sent.map_err(|error| reason(&error))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > BODY_READ {
                break;
            }
        }
        Ok(Answer {
            status,
            retry_after,
        })
    }
}

fn client(config: &Arc<EgressConfig>, lookups: Lookups) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .http1_only()
        .referer(false)
        .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Guard {
            lookups,
            config: config.clone(),
        })
        .connect_timeout(config.connect_timeout)
        .timeout(config.timeout)
}

fn reason(error: &reqwest::Error) -> EgressError {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<NotPublic>() {
            return EgressError::NotPublic;
        }
        if inner.is::<Busy>() {
            return EgressError::Busy;
        }
        source = inner.source();
    }
    if error.is_timeout() {
        EgressError::Timeout
    } else if error.is_connect() {
        EgressError::Connect
    } else {
        EgressError::Broken
    }
}
