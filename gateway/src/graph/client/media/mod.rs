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
use secrecy::SecretString;

use super::answer::Refused;
use super::call::{self, CallError};
use super::{GraphClient, MAX_ANSWER, is_id};
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
    Ok(call::ask(request, token, timeout, MAX_ANSWER).await?)
}

fn unsent(error: &reqwest::Error) -> MediaError {
    call::unsent(error).into()
}

impl From<CallError> for MediaError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(refused) => Self::Refused(refused),
            CallError::Unreadable { http_status, .. } => Self::Unreadable { http_status },
            CallError::NotSent(why) | CallError::NoAnswer(why) => Self::NoAnswer(why),
            CallError::Argument(what) => Self::Argument(what),
        }
    }
}
