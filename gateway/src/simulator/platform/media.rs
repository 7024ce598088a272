//! Uploading, looking up and deleting media (`whatsapp-cloud-api.md` §5.1–§5.3).

use bytes::Bytes;
use futures::stream;
use serde_json::json;

use super::super::error::GraphError;
use super::super::media::{NewMedium, Origin};
use super::super::number::Number;
use super::super::send::medium::{self, MediaKind};
use super::{Answer, Answered, Call, success};

/// The parts of an upload's form.
#[derive(Default)]
struct Form {
    product: Option<String>,
    kind: Option<String>,
    /// Its type, if it has one, and its bytes.
    file: Option<(Option<String>, Bytes)>,
}

impl Call<'_> {
    /// `POST /{number}/media`
    pub(super) async fn upload_media(&self, number: &Number) -> Answered {
        if self.method != "POST" {
            return Err(self.no_such_method());
        }
        let form = self.form().await?;
        // Some clients send it in the query (§5.1).
        let product = form
            .product
            .as_deref()
            .or(self.query.get("messaging_product").map(String::as_str));
        if product != Some("whatsapp") {
            return Err(GraphError::new(
                100,
                "The parameter messaging_product is required.",
            ));
        }
        let (mime_type, bytes) = form
            .file
            .ok_or_else(|| GraphError::new(100, "The parameter file is required."))?;
        // The part's own type decides (§5.1).
        let mime_type = mime_type.or(form.kind).unwrap_or_default();
        let kind = MediaKind::of_mime(&mime_type).ok_or_else(|| unsupported(&mime_type))?;
        medium::fits(kind, &mime_type, bytes.len())?;
        let new = NewMedium {
            phone_number_id: number.id().to_owned(),
            mime_type,
            bytes,
            origin: Origin::Business,
        };
        let stored = self.world.media.put(new, self.world.clock.now());
        Ok(Answer::Ok(json!({ "id": stored.id })))
    }

    async fn form(&self) -> Result<Form, GraphError> {
        let unreadable = |_| GraphError::new(100, "The form cannot be read.");
        let boundary = multer::parse_boundary(self.content_type)
            .map_err(|_| GraphError::new(100, "The body must be multipart/form-data."))?;
        let body = stream::iter([Ok::<_, std::convert::Infallible>(self.body.clone())]);
        let mut parts = multer::Multipart::new(body, boundary);
        let mut form = Form::default();
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            match part.name() {
                Some("messaging_product") => {
                    form.product = Some(part.text().await.map_err(unreadable)?)
                }
                Some("type") => form.kind = Some(part.text().await.map_err(unreadable)?),
                Some("file") => {
                    let mime_type = part.content_type().map(ToString::to_string);
                    let bytes = part.bytes().await.map_err(unreadable)?;
                    form.file = Some((mime_type, bytes));
                }
                _ => {}
            }
        }
        Ok(form)
    }

    /// `GET|DELETE /{media}?phone_number_id=`
    pub(super) fn media_object(&self, id: &str) -> Answered {
        let medium = self.world.media.get(id, self.world.clock.now());
        let medium = medium.ok_or_else(|| GraphError::unknown_object(id))?;
        let asked = self.query.get("phone_number_id");
        if asked.is_some_and(|asked| *asked != medium.phone_number_id) {
            return Err(GraphError::unknown_object(id));
        }
        if !self.world.may_see(self.token(), &medium.phone_number_id) {
            return Err(GraphError::bad_token());
        }
        match self.method {
            "DELETE" => {
                self.world.media.delete(id);
                Ok(success())
            }
            "GET" => Ok(Answer::Ok(json!({
                "messaging_product": "whatsapp",
                "url": self.world.media_url(&medium),
                "mime_type": medium.mime_type,
                "sha256": medium.sha256,
                "file_size": medium.bytes.len(),
                "id": medium.id,
            }))),
            _ => Err(self.no_such_method()),
        }
    }
}

fn unsupported(mime_type: &str) -> GraphError {
    let known: Vec<&str> = MediaKind::ALL
        .iter()
        .flat_map(|kind| kind.mimes())
        .copied()
        .collect();
    let details = format!(
        "Param file must be a file with one of the following types: {}. Received file of type '{mime_type}'.",
        known.join(", ")
    );
    GraphError::new(100, details)
}
