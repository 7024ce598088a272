//! Media at Graph (facts §5): upload, look up, download, delete.
//!
//! Streams both ways and stores nothing. The token goes to Graph's hosts only, whatever address an answer names; what was
//! downloaded is to be believed once its end was reached, because only then its size and digest are known to be right.
//! Unlike a send, each of these calls may be repeated.

mod digest;
mod download;
mod kind;
#[cfg(test)]
mod tests;
mod upload;

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::AUTHORIZATION;
use secrecy::SecretString;

use super::answer::{Refused, refused};
use super::{GraphClient, Unread, bearer, is_id, retry_after, whole};
use crate::graph::json::Object;

pub use digest::Digest;
pub use download::Download;
pub use kind::{MediaKind, MediaType};
pub use upload::Upload;

/// What Graph says of a file (facts §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaInfo {
    pub id: String,
    /// Works for 5 minutes.
    pub url: String,
    pub mime_type: String,
    /// As it came: hex or base64.
    pub sha256: Option<String>,
    pub size: Option<u64>,
}

/// Why a media call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Branch on its code (facts §7).
    #[error("Graph refused it: {}", .0.error.message)]
    Refused(Box<Refused>),
    #[error("no whole answer of the media's host: {0}")]
    NoAnswer(&'static str),
    #[error("the media's host answered HTTP {http_status}, which cannot be understood")]
    Unreadable { http_status: u16 },
    /// The download address is older than 5 minutes, or the file is gone: look it up again.
    #[error("the download address works no longer")]
    Gone,
    #[error("the download address is not one of Graph's: the token is not sent there")]
    ForeignHost,
    #[error("the file has more than {most} bytes")]
    TooLarge { most: u64 },
    #[error("the file has {got} bytes instead of {said}")]
    WrongSize { said: u64, got: u64 },
    #[error("the file is not the one that Graph has the digest of")]
    WrongDigest,
    /// What was to be uploaded could not be read.
    #[error("the file could not be read")]
    Source,
    #[error("{0} cannot stand in a request")]
    Argument(&'static str),
}

impl GraphClient {
    /// Where a file can be downloaded from, and what it is.
    ///
    /// `phone_number_id` has Graph check that the file belongs to that number.
    pub async fn media(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        media_id: &str,
        timeout: Duration,
    ) -> Result<MediaInfo, MediaError> {
        let request = self.http.get(self.of_media(phone_number_id, media_id)?);
        let answer = ask(request, token, timeout).await?;
        info(media_id, &answer).ok_or(MediaError::Unreadable { http_status: 200 })
    }

    /// Deletes an upload. A file that is not there is a refusal.
    pub async fn delete_media(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        media_id: &str,
        timeout: Duration,
    ) -> Result<(), MediaError> {
        let request = self.http.delete(self.of_media(phone_number_id, media_id)?);
        let answer = ask(request, token, timeout).await?;
        let deleted = Object::parse(&answer).is_some_and(|answer| answer.flag("success"));
        match deleted {
            true => Ok(()),
            false => Err(MediaError::Unreadable { http_status: 200 }),
        }
    }

    fn of_media(&self, phone_number_id: &str, media_id: &str) -> Result<String, MediaError> {
        if !is_id(phone_number_id) {
            return Err(MediaError::Argument("the phone number id"));
        }
        if !is_id(media_id) {
            return Err(MediaError::Argument("the media id"));
        }
        let root = &self.root;
        Ok(format!(
            "{root}{media_id}?phone_number_id={phone_number_id}"
        ))
    }
}

fn info(media_id: &str, answer: &str) -> Option<MediaInfo> {
    let answer = Object::parse(answer)?;
    Some(MediaInfo {
        id: media_id.to_owned(),
        url: answer.string("url")?,
        mime_type: answer.string("mime_type")?,
        sha256: answer.string("sha256"),
        // A number or a string (facts §5.2).
        size: answer
            .integer("file_size")
            .and_then(|size| u64::try_from(size).ok()),
    })
}

/// One call that Graph answers with JSON.
async fn ask(
    request: RequestBuilder,
    token: &SecretString,
    timeout: Duration,
) -> Result<String, MediaError> {
    let bearer = bearer(token).ok_or(MediaError::Argument("the access token"))?;
    let request = request.header(AUTHORIZATION, bearer).timeout(timeout);
    let response = request.send().await.map_err(|error| unsent(&error))?;
    let http_status = response.status().as_u16();
    let retry_after = retry_after(&response);
    let body = whole(response).await.map_err(|unread| match unread {
        Unread::Endless => MediaError::Unreadable { http_status },
        Unread::Broken => MediaError::NoAnswer("the connection broke"),
    })?;
    let text = String::from_utf8(body).map_err(|_| MediaError::Unreadable { http_status })?;
    if let Some(refused) = refused(http_status, retry_after, &text) {
        return Err(MediaError::Refused(Box::new(refused)));
    }
    match http_status {
        200..=299 => Ok(text),
        _ => Err(MediaError::Unreadable { http_status }),
    }
}

fn unsent(error: &reqwest::Error) -> MediaError {
    MediaError::NoAnswer(if error.is_timeout() {
        "it took too long"
    } else if error.is_dns() {
        "its name did not resolve"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    })
}
