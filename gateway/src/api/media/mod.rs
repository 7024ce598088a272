//! Files: uploaded to Meta for a number's messages, and fetched from Meta for those whom people sent them to.
//!
//! Nothing is kept here. What is fetched is named by the message that brought it, never by an id or address of Meta's, so
//! that this is no way to whatever a token can read.

mod download;
mod form;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::{Answer, Api, UploadRoom};
use crate::directory::NumberEntry;
use crate::graph::GraphClient;
use crate::graph::client::media::MediaError;

pub(super) use form::LARGEST as LARGEST_FORM;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(upload::upload))
        .routes(routes!(download::download))
}

/// Of a whole upload, from here and to Meta each, or download. A guess: 100 MB by a slow line.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Files that are fetched at once on one node. A guess: each is two connections.
const DOWNLOADS_MOST: usize = 64;

/// What media calls go through.
#[derive(Debug)]
pub struct Media {
    graph: GraphClient,
    /// A file is checked whole before Graph is asked.
    room: UploadRoom,
    downloads: Arc<Semaphore>,
}

impl Media {
    pub fn new(graph: GraphClient) -> Self {
        Self {
            graph,
            room: UploadRoom::for_files(),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_MOST)),
        }
    }
}

fn place(downloads: &Arc<Semaphore>) -> Answer<OwnedSemaphorePermit> {
    let place = downloads.clone().try_acquire_owned();
    place.map_err(|_| {
        let detail = "this node carries as many files as it bears: try again in a moment";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("5"))
    })
}

/// The access token of a number.
fn token(entry: &NumberEntry) -> Answer<&SecretString> {
    let detail = "the number has no access token that opens";
    let none = || Problem::new(StatusCode::CONFLICT, "no_token", detail);
    entry.token.as_ref().ok_or_else(none)
}

/// What Meta, or the way to it, made of a call.
fn problem(error: &MediaError) -> Problem {
    match error {
        MediaError::TooLarge { most } => too_large(*most),
        MediaError::Gone => gone(),
        MediaError::Refused(refused) => {
            let code = refused.error.code.unwrap_or(0);
            let detail = format!(
                "Meta refused it with code {code}: {}",
                refused.error.message
            );
            Problem::new(StatusCode::BAD_GATEWAY, "meta_refused", detail)
        }
        other => Problem::new(StatusCode::BAD_GATEWAY, "meta_failed", other.to_string()),
    }
}

fn too_large(most: u64) -> Problem {
    let detail = format!("WhatsApp takes files of this kind up to {most} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

fn gone() -> Problem {
    let detail = "Meta has the file no longer: what people send can be fetched for 7 days";
    Problem::new(StatusCode::GONE, "media_gone", detail)
}
