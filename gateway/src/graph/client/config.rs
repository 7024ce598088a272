//! How the HTTP client towards Graph is built.

use std::time::Duration;

/// What an operator may set of it.
#[derive(Debug, Clone)]
pub struct HttpClientConfig {
    /// Bounds name, TCP and TLS together. A send that is handed over begins within this time or is `NotSent`: it is
    /// part of the 2 s of promise 4.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. Shorter than Graph keeps it: a request written while the other side
    /// closes is a send in doubt.
    pub idle_timeout: Duration,
    /// Connections kept although unused.
    pub max_idle: usize,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            // A guess: servers commonly close idle connections after 60 s; in-doubt sends after a pause would change it.
            idle_timeout: Duration::from_secs(30),
            max_idle: 256,
        }
    }
}

/// A client with kept-alive connections that follows no redirect (a token must not travel to another host), asks no
/// proxy of the environment and repeats no request.
///
/// Its TLS provider is the process's default: rustls' `ring`, set here by whoever of a process makes the first client.
pub fn http_client(config: &HttpClientConfig) -> reqwest::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .http1_only()
        .tcp_nodelay(true)
        .referer(false)
        .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.connect_timeout)
        .pool_idle_timeout(config.idle_timeout)
        .pool_max_idle_per_host(config.max_idle)
        .build()
}
