//! Download: from Graph's own hosts only, bounded, and compared with what Graph said the file is (facts §5.2).

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, USER_AGENT};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::super::bearer;
use super::digest::Digest;
use super::{MediaError, MediaInfo, unsent};
use crate::graph::client::GraphClient;

/// Who else than the configured Graph may be shown the token.
const HOSTS: [&str; 2] = ["graph.facebook.com", "lookaside.fbsbx.com"];

/// The media host answers the names of some HTTP libraries with an error page (facts §5.2).
const AGENT: &str = "curl/8.5.0";

/// A file that is coming. It is the right one when [`Download::chunk`] has answered `None`, and not before.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
    hasher: Sha256,
    got: u64,
    most: u64,
    digest: Option<Digest>,
    size: Option<u64>,
}

impl GraphClient {
    /// Begins to download what [`GraphClient::media`] found, of which at most `most` bytes are taken.
    ///
    /// `timeout` bounds the whole download.
    pub async fn download_media(
        &self,
        token: &SecretString,
        info: &MediaInfo,
        most: u64,
        timeout: Duration,
    ) -> Result<Download, MediaError> {
        let url = self.trusted(&info.url).ok_or(MediaError::ForeignHost)?;
        let digest = match &info.sha256 {
            Some(text) => Some(Digest::parse(text).ok_or(MediaError::WrongDigest)?),
            None => None,
        };
        if info.size.is_some_and(|size| size > most) {
            return Err(MediaError::TooLarge { most });
        }
        let bearer = bearer(token).ok_or(MediaError::Argument("the access token"))?;
        let request = self
            .http
            .get(url)
            .header(AUTHORIZATION, bearer)
            .header(USER_AGENT, AGENT)
            .timeout(timeout);
        let response = request.send().await.map_err(|error| unsent(&error))?;
        match response.status().as_u16() {
            200 => {}
            404 | 410 => return Err(MediaError::Gone),
            // A redirect too: the token follows none.
            http_status => return Err(MediaError::Unreadable { http_status }),
        }
        if response.content_length().is_some_and(|size| size > most) {
            return Err(MediaError::TooLarge { most });
        }
        Ok(Download {
            response,
            hasher: Sha256::new(),
            got: 0,
            most,
            digest,
            size: info.size,
        })
    }

    /// An address that may be given the token: https on one of Graph's hosts, or the very place that is configured.
    pub(super) fn trusted(&self, url: &str) -> Option<Url> {
        let url = Url::parse(url).ok()?;
        let own = Url::parse(&self.root).ok()?;
        let plain = url.username().is_empty() && url.password().is_none();
        let metas = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| HOSTS.contains(&host));
        (plain && (metas || url.origin() == own.origin())).then_some(url)
    }
}

impl Download {
    /// The next bytes; `None` once the whole file has come and is the right one.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, MediaError> {
        let chunk = self.response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| unsent(&error))? else {
            return self.verify().map(|()| None);
        };
        self.got += chunk.len() as u64;
        if self.got > self.most {
            return Err(MediaError::TooLarge { most: self.most });
        }
        self.hasher.update(&chunk);
        Ok(Some(chunk))
    }

    fn verify(&mut self) -> Result<(), MediaError> {
        if let Some(said) = self.size.filter(|said| *said != self.got) {
            return Err(MediaError::WrongSize {
                said,
                got: self.got,
            });
        }
        let found = self.hasher.finalize_reset();
        match self.digest {
            Some(digest) if !digest.is(&found) => Err(MediaError::WrongDigest),
            _ => Ok(()),
        }
    }
}
