//! Resumable uploads: header samples of templates, profile pictures (`whatsapp-cloud-api.md` §5.4).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::error::GraphError;
use super::{Answer, Answered, Call};

use crate::sync::lock;

const TYPES: &[&str] = &[
    "application/pdf",
    "image/jpeg",
    "image/jpg",
    "image/png",
    "video/mp4",
];
/// Sessions that are remembered; an older one is forgotten, as Meta's expire.
const MOST: usize = 200;

#[derive(Debug, Clone, Copy)]
struct Session {
    length: usize,
    received: usize,
}

/// Uploads under way. Their bytes are not kept: nobody asks for a sample again.
#[derive(Debug, Default)]
pub(in super::super) struct Uploads(Mutex<(u64, HashMap<String, Session>)>);

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<String, Session>)> {
        lock(&self.0)
    }
}

impl Call<'_> {
    /// `POST /{app}/uploads?file_length=&file_type=`
    pub(super) fn begin_upload(&self) -> Answered {
        let body = self.json()?;
        let kind = self.given(&body, "file_type").unwrap_or_default();
        if !TYPES.contains(&&*kind) {
            return Err(GraphError::new(
                100,
                "Param file_type must be pdf, jpeg, jpg, png or mp4.",
            ));
        }
        let length = self
            .given(&body, "file_length")
            .and_then(|length| length.parse().ok());
        let length =
            length.ok_or_else(|| GraphError::new(100, "The parameter file_length is required."))?;
        let mut uploads = self.world.uploads.lock();
        uploads.0 += 1;
        let id = format!("upload:{}", STANDARD.encode(format!("sim-{}", uploads.0)));
        if uploads.1.len() >= MOST {
            uploads.1.clear();
        }
        uploads.1.insert(
            id.clone(),
            Session {
                length,
                received: 0,
            },
        );
        Ok(Answer::Ok(json!({ "id": id })))
    }

    /// `GET|POST /upload:…`
    pub(super) fn upload(&self, id: &str) -> Answered {
        let mut uploads = self.world.uploads.lock();
        let session = uploads
            .1
            .get_mut(id)
            .ok_or_else(|| GraphError::unknown_object(id))?;
        if self.method == "GET" {
            return Ok(Answer::Ok(
                json!({ "id": id, "file_offset": session.received }),
            ));
        }
        let offset: Option<usize> = self.offset.and_then(|offset| offset.parse().ok());
        if offset != Some(session.received) {
            let details = format!("file_offset must be {}", session.received);
            return Err(GraphError::new(100, details));
        }
        session.received += self.body.len();
        if session.received > session.length {
            return Err(GraphError::new(100, "More bytes than file_length says."));
        }
        if session.received < session.length {
            return Ok(Answer::Ok(
                json!({ "id": id, "file_offset": session.received }),
            ));
        }
        Ok(Answer::Ok(
            json!({ "h": format!("4::{}", STANDARD.encode(id)) }),
        ))
    }
}
