//! Upload: one multipart POST that is streamed from wherever the file comes from (facts §5.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use secrecy::SecretString;

use super::{MediaError, MediaType, ask};
use crate::graph::client::{GraphClient, is_id};
use crate::graph::json::Object;

/// A file on its way up.
#[derive(Debug)]
pub struct Upload<S> {
    pub media_type: MediaType,
    pub filename: String,
    /// In bytes, if it is known beforehand.
    pub length: Option<u64>,
    pub content: S,
}

/// What became of the stream, for whoever is told only that the request failed.
#[derive(Debug, Default)]
struct Course {
    bytes: AtomicU64,
    too_large: AtomicBool,
    broken: AtomicBool,
}

impl GraphClient {
    /// Uploads a file and answers its id, which works for 30 days. A file that is larger than its kind may be is not sent
    /// to its end.
    pub async fn upload_media<S, E>(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        file: Upload<S>,
        timeout: Duration,
    ) -> Result<String, MediaError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Send + 'static,
    {
        if !is_id(phone_number_id) {
            return Err(MediaError::Argument("the phone number id"));
        }
        let most = file.media_type.kind().largest();
        if file.length.is_some_and(|length| length > most) {
            return Err(MediaError::TooLarge { most });
        }
        let course = Arc::<Course>::default();
        let form = form(file, most, course.clone())?;
        let url = format!("{}{phone_number_id}/media", self.root);
        let answer = ask(self.http.post(url).multipart(form), token, timeout).await;
        if course.too_large.load(Ordering::Relaxed) {
            return Err(MediaError::TooLarge { most });
        }
        if course.broken.load(Ordering::Relaxed) {
            return Err(MediaError::Source);
        }
        let id = Object::parse(&answer?).and_then(|answer| answer.string("id"));
        id.ok_or(MediaError::Unreadable { http_status: 200 })
    }
}

fn form<S, E>(file: Upload<S>, most: u64, course: Arc<Course>) -> Result<Form, MediaError>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send + 'static,
{
    let mime = file.media_type.as_str().to_owned();
    let content = Body::wrap_stream(file.content.map(move |chunk| course.pass(chunk, most)));
    let part = match file.length {
        Some(length) => Part::stream_with_length(content, length),
        None => Part::stream(content),
    };
    // The part's own type decides (facts §5.1).
    let part = part.file_name(file.filename).mime_str(&mime);
    let part = part.map_err(|_| MediaError::Argument("the file's type"))?;
    Ok(Form::new()
        .text("messaging_product", "whatsapp")
        .text("type", mime)
        .part("file", part))
}

/// Ends the request; the [`Course`] knows why.
#[derive(Debug, thiserror::Error)]
#[error("the upload was given up")]
struct GivenUp;

impl Course {
    fn pass<E>(&self, chunk: Result<Bytes, E>, most: u64) -> Result<Bytes, GivenUp> {
        let Ok(chunk) = chunk else {
            self.broken.store(true, Ordering::Relaxed);
            return Err(GivenUp);
        };
        let length = chunk.len() as u64;
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        if before + length > most {
            self.too_large.store(true, Ordering::Relaxed);
            return Err(GivenUp);
        }
        Ok(chunk)
    }
}
