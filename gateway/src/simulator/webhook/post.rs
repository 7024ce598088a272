//! One keep-alive connection to the webhook URL. Plain HTTP: the simulator posts to a gateway on the same machine or
//! behind the operator's own proxy.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::TcpStream;

use super::sign::{Signature, Signer};

/// All but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Where webhooks go and how they are signed.
#[derive(Clone)]
pub(crate) struct Target {
    authority: String,
    path: String,
    signer: Signer,
}

/// Without its secret.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("authority", &self.authority)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Why a POST had no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error("no webhook URL is set")]
    NoTarget,
    #[error("the webhook URL must be http://host[:port]/path")]
    BadUrl,
    #[error("no connection to the webhook URL")]
    Connect(#[source] std::io::Error),
    #[error("the webhook POST had no answer")]
    Http(#[from] hyper::Error),
    #[error("the webhook POST took too long")]
    Timeout,
}

impl Target {
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn parse(url: &str, app_secret: &str) -> Result<Self, PostError> {
        let uri: Uri = url.parse().map_err(|_| PostError::BadUrl)?;
        let plain = uri.scheme_str() == Some("http");
        let authority = uri.authority().filter(|_| plain).ok_or(PostError::BadUrl)?;
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            signer: Signer::new(app_secret),
        })
    }
}

/// A connection that is opened when needed and kept.
pub(super) struct Poster {
    target: Option<Arc<Target>>,
    connection: Option<SendRequest<Full<Bytes>>>,
    timeout: Duration,
}

impl Poster {
    pub fn new(timeout: Duration) -> Self {
        Self {
            target: None,
            connection: None,
            timeout,
        }
    }

    /// Posts `body` to `target` and reads the whole answer.
    pub async fn post(
        &mut self,
        target: &Arc<Target>,
        body: Bytes,
        signature: Signature,
    ) -> Result<StatusCode, PostError> {
        let request = target.request(body, signature);
        self.exchange(target, request)
            .await
            .map(|(status, _)| status)
    }

    /// The handshake that Meta makes when a callback URL is saved (§1.1): does the answer echo the challenge?
    pub async fn handshake(
        &mut self,
        target: &Arc<Target>,
        verify_token: &str,
        challenge: &str,
    ) -> Result<bool, PostError> {
        let mark = if target.path.contains('?') { '&' } else { '?' };
        let path = format!(
            "{}{mark}hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={}",
            target.path,
            utf8_percent_encode(verify_token, RESERVED)
        );
        let request = Request::get(path)
            .header(header::HOST, &target.authority)
            .body(Full::default())
            .map_err(|_| PostError::BadUrl)?;
        let (status, body) = self.exchange(target, request).await?;
        Ok(status == StatusCode::OK && body == challenge.as_bytes())
    }

    async fn exchange(
        &mut self,
        target: &Arc<Target>,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), PostError> {
        let timeout = self.timeout;
        let exchange = async {
            let mut connection = self.connect(target).await?;
            let answer = connection.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            self.connection = Some(connection);
            Ok((status, body))
        };
        // Whatever goes wrong drops the connection: it was taken out and is not put back.
        match tokio::time::timeout(timeout, exchange).await {
            Ok(done) => done,
            Err(_) => Err(PostError::Timeout),
        }
    }

    async fn connect(
        &mut self,
        target: &Arc<Target>,
    ) -> Result<SendRequest<Full<Bytes>>, PostError> {
        let same = self
            .target
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, target));
        if let Some(mut kept) = self.connection.take().filter(|_| same)
            && kept.ready().await.is_ok()
        {
            return Ok(kept);
        }
        let stream = TcpStream::connect(&target.authority)
            .await
            .map_err(PostError::Connect)?;
        // Without it a small body may wait for the last one's acknowledgement.
        stream.set_nodelay(true).map_err(PostError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        self.target = Some(Arc::clone(target));
        Ok(sender)
    }
}

impl Target {
    fn request(&self, body: Bytes, signature: Signature) -> Request<Full<Bytes>> {
        let header = self.signer.header(&body, signature);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&self.authority) {
            headers.insert(header::HOST, host);
        }
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(header) = header {
            headers.insert("x-hub-signature-256", header);
        }
        request
    }
}
