//! Kinds of media, their types and sizes (`whatsapp-cloud-api.md` §5.3), and what a send of one must look like (§4.2).

use serde_json::Value;

use super::super::error::GraphError;
use super::super::media::Medium;
use super::super::world::World;
use super::content::optional;

/// What a send calls a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum MediaKind {
    Audio,
    Document,
    Image,
    Sticker,
    Video,
}

const MB: usize = 1024 * 1024;

impl MediaKind {
    pub const ALL: [Self; 5] = [
        Self::Audio,
        Self::Document,
        Self::Image,
        Self::Sticker,
        Self::Video,
    ];

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Image => "image",
            Self::Sticker => "sticker",
            Self::Video => "video",
        }
    }

    pub fn mimes(self) -> &'static [&'static str] {
        match self {
            Self::Audio => &[
                "audio/aac",
                "audio/amr",
                "audio/mpeg",
                "audio/mp4",
                "audio/ogg",
            ],
            Self::Document => &[
                "text/plain",
                "application/pdf",
                "application/msword",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                "application/vnd.ms-excel",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "application/vnd.ms-powerpoint",
                "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            ],
            Self::Image => &["image/jpeg", "image/png"],
            Self::Sticker => &["image/webp"],
            Self::Video => &["video/mp4", "video/3gpp"],
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Audio | Self::Video => 16 * MB,
            Self::Document => 100 * MB,
            Self::Image => 5 * MB,
            // Animated; a still one has 100 KB, which only decoding would tell apart.
            Self::Sticker => 500 * 1024,
        }
    }

    /// The kind that an uploaded file of this type can be sent as. Other valid types usually pass as documents (§5.3).
    pub fn of_mime(mime_type: &str) -> Option<Self> {
        let plain = essence(mime_type);
        let known = Self::ALL
            .into_iter()
            .find(|kind| kind.mimes().contains(&&*plain));
        let document = plain.starts_with("application/") && plain != "application/octet-stream"
            || plain == "text/csv";
        known.or(document.then_some(Self::Document))
    }

    /// Can a medium of this type be sent as this kind? Everything can be sent as a document.
    fn takes(self, mime_type: &str) -> bool {
        self == Self::Document || self.mimes().contains(&&*essence(mime_type))
    }
}

fn essence(mime_type: &str) -> String {
    let plain = mime_type.split(';').next().unwrap_or_default();
    plain.trim().to_ascii_lowercase()
}

/// Is a file of that kind small enough?
pub(in super::super) fn fits(
    kind: MediaKind,
    mime_type: &str,
    bytes: usize,
) -> Result<(), GraphError> {
    if bytes == 0 {
        return Err(GraphError::new(131053, "The file is empty."));
    }
    if bytes > kind.most() {
        let details = format!(
            "{mime_type} of {bytes} bytes: {} allows {} bytes",
            kind.word(),
            kind.most()
        );
        return Err(GraphError::new(131053, details));
    }
    Ok(())
}

impl World {
    /// Exactly one of `id` and `link`; what an id names must exist and be of the kind. Answers with what there is to
    /// read.
    pub(super) fn media_content(
        &self,
        phone_number_id: &str,
        kind: MediaKind,
        object: &Value,
    ) -> Result<String, GraphError> {
        let word = kind.word();
        let source = self.media_source(phone_number_id, kind, object, word)?;
        let caption = optional(&object["caption"], 1024, &format!("{word}['caption']"))?;
        if caption.is_some() && matches!(kind, MediaKind::Audio | MediaKind::Sticker) {
            return Err(GraphError::invalid(
                &format!("{word}['caption']"),
                "is not supported",
            ));
        }
        if kind != MediaKind::Document && !object["filename"].is_null() {
            return Err(GraphError::invalid(
                &format!("{word}['filename']"),
                "is for documents only",
            ));
        }
        Ok(caption.map_or_else(|| format!("[{word} {source}]"), str::to_owned))
    }

    /// As [`Self::media_content`], for headers: `parameter` says where it stands.
    pub(super) fn media_source(
        &self,
        phone_number_id: &str,
        kind: MediaKind,
        object: &Value,
        parameter: &str,
    ) -> Result<String, GraphError> {
        match (object["id"].as_str(), object["link"].as_str()) {
            (Some(id), None) if !id.is_empty() => {
                self.known_medium(phone_number_id, kind, id)?;
                Ok(id.to_owned())
            }
            (None, Some(link)) if !link.is_empty() => {
                if link.starts_with("https://") || link.starts_with("http://") {
                    return Ok(link.to_owned());
                }
                Err(GraphError::invalid(
                    &format!("{parameter}['link']"),
                    "is not a URL",
                ))
            }
            (Some(_), Some(_)) => Err(GraphError::invalid(
                parameter,
                "takes either id or link, not both",
            )),
            _ => Err(GraphError::missing(&format!(
                "{parameter}['id'] or {parameter}['link']"
            ))),
        }
    }

    fn known_medium(
        &self,
        phone_number_id: &str,
        kind: MediaKind,
        id: &str,
    ) -> Result<(), GraphError> {
        if !self.checks.media {
            return Ok(());
        }
        let medium = self.media.get(id, self.clock.now());
        let medium = medium.filter(|medium| self.reaches(phone_number_id, medium));
        let medium = medium.ok_or_else(|| {
            GraphError::invalid(&format!("{}['id']", kind.word()), "is not a valid media id")
        })?;
        if kind.takes(&medium.mime_type) {
            return fits(kind, &medium.mime_type, medium.bytes.len());
        }
        let details = format!("{} cannot be sent as {}", medium.mime_type, kind.word());
        Err(GraphError::new(131053, details))
    }

    /// A medium serves every number that its token reaches (§5.1).
    fn reaches(&self, phone_number_id: &str, medium: &Medium) -> bool {
        let token = self
            .number(phone_number_id)
            .map(|number| number.spec().access_token.clone());
        token.is_ok_and(|token| self.may_see(Some(&token), &medium.phone_number_id))
    }
}
