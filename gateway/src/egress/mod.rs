//! Requests to addresses that tenants choose: hooks out. Nothing inside our own network is reached by them.
//!
//! A name is resolved once, what is not public is taken out, and the connection goes to what is left: there is no second
//! look-up that could answer something else. No redirect is followed, no proxy is asked, no cookie is kept. An operator may
//! allow private addresses and plain `http` for a laboratory; then for every tenant.

mod public;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Url, header};

pub use public::is_public;

/// How requests go out.
#[derive(Debug, Clone, Copy)]
pub struct EgressConfig {
    /// Private, loopback and link-local addresses, and `http`. For laboratories and tests.
    pub allow_private_addresses: bool,
    pub connect_timeout: Duration,
    /// Of a whole request.
    pub timeout: Duration,
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
    #[error("is an address that is not public")]
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
    #[error("the name has no public address")]
    NotPublic,
    #[error("no connection")]
    Connect,
    #[error("the connection broke")]
    Broken,
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
    config: EgressConfig,
}

const LONGEST_URL: usize = 2000;
/// Of an answer's body, so that its connection can be used again; what is longer closes it.
const BODY_READ: usize = 16 << 10;

impl Egress {
    pub fn new(config: EgressConfig) -> reqwest::Result<Self> {
        let guard = Guard {
            allow_private: config.allow_private_addresses,
        };
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .http1_only()
            .referer(false)
            .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(guard)
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            // Thousands of endpoints: a connection to each would be kept for nothing.
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(4)
            .build()?;
        Ok(Self { http, config })
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
            "http" if self.config.allow_private_addresses => {}
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
            Some(address) if !self.allows(address) => Err(UrlError::Private),
            _ => Ok(url),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.config.allow_private_addresses || is_public(address)
    }

    /// POSTs JSON. Whatever the endpoint answers is an answer.
    pub async fn post(
        &self,
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
        let mut response = request.send().await.map_err(|error| reason(&error))?;
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

fn reason(error: &reqwest::Error) -> EgressError {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<NotPublic>() {
            return EgressError::NotPublic;
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

/// Every address of the name is private, or it has none.
#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
struct NotPublic;

/// Resolves names, and leaves out what is not public.
#[derive(Debug)]
struct Guard {
    allow_private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found
                .filter(|address| allow_private || is_public(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(allow_private_addresses: bool) -> Egress {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Egress::new(EgressConfig {
            allow_private_addresses,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        })
        .expect("a client")
    }

    #[test]
    fn urls_into_our_own_network_are_refused_in_every_spelling() {
        use UrlError as E;
        let cases = [
            ("https://example.com/hook", None),
            ("http://example.com/hook", Some(E::Scheme)),
            ("file:///etc/passwd", Some(E::Scheme)),
            ("https://user@example.com/", Some(E::Credentials)),
            ("https://user:word@example.com/", Some(E::Credentials)),
            ("https://127.0.0.1/", Some(E::Private)),
            ("https://0x7f.1/", Some(E::Private)),
            ("https://2130706433/", Some(E::Private)),
            ("https://169.254.169.254/latest", Some(E::Private)),
            ("https://[::1]/", Some(E::Private)),
            ("https://[::ffff:10.0.0.1]/", Some(E::Private)),
            ("https://[fd00::1]/", Some(E::Private)),
            ("https://8.8.8.8/", None),
            ("hooks", Some(E::Malformed)),
        ];
        let egress = egress(false);
        for (url, expected) in cases {
            assert_eq!(egress.check(url).err(), expected, "{url}");
        }
    }

    #[test]
    fn a_laboratory_may_ask_itself() {
        assert_eq!(egress(true).check("http://127.0.0.1:8080/hook"), Ok(()));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_not_connected_to() {
        let answer = egress(false)
            .post("https://localhost/hook", &[], "{}".to_owned())
            .await;
        assert!(matches!(answer, Err(EgressError::NotPublic)), "{answer:?}");
    }
}
