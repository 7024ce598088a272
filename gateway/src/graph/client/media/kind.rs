//! The types of files that WhatsApp takes, and how large each may be (facts §5.3).

const KB: u64 = 1024;
const MB: u64 = 1024 * KB;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    Audio,
    Document,
    Image,
    Sticker,
    Video,
}

impl MediaKind {
    /// In bytes. Whether Meta's MB are 1,000² is not known: we take the larger meaning, and Meta judges the rest. A
    /// sticker may be 500 KB when it moves, which its type does not tell.
    pub fn largest(self) -> u64 {
        match self {
            Self::Audio | Self::Video => 16 * MB,
            Self::Document => 100 * MB,
            Self::Image => 5 * MB,
            Self::Sticker => 500 * KB,
        }
    }
}

/// A MIME type that may be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    kind: MediaKind,
    mime: String,
}

impl MediaType {
    /// `None`: WhatsApp takes no such file. Parameters such as `; codecs=opus` are kept.
    pub fn parse(mime: &str) -> Option<Self> {
        let clean = mime.trim().to_ascii_lowercase();
        let essence = clean.split(';').next().unwrap_or_default().trim();
        let kind = match essence {
            "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg" => {
                MediaKind::Audio
            }
            "image/jpeg" | "image/png" => MediaKind::Image,
            "image/webp" => MediaKind::Sticker,
            "video/mp4" | "video/3gpp" => MediaKind::Video,
            // Beyond the office formats other types usually pass as documents: we let Meta judge them.
            other if is_document(other) => MediaKind::Document,
            _ => return None,
        };
        Some(Self { kind, mime: clean })
    }

    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    pub fn as_str(&self) -> &str {
        &self.mime
    }
}

fn is_document(essence: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b".+-_".contains(&b);
    let subtype = essence
        .strip_prefix("application/")
        .or_else(|| essence.strip_prefix("text/"));
    subtype.is_some_and(|subtype| !subtype.is_empty() && subtype.bytes().all(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_its_kind_or_is_not_taken() {
        for (mime, kind) in [
            ("audio/ogg; codecs=opus", Some(MediaKind::Audio)),
            ("Image/JPEG", Some(MediaKind::Image)),
            ("image/webp", Some(MediaKind::Sticker)),
            ("video/3gpp", Some(MediaKind::Video)),
            ("application/pdf", Some(MediaKind::Document)),
            ("text/plain", Some(MediaKind::Document)),
            ("application/vnd.ms-excel", Some(MediaKind::Document)),
            ("image/gif", None),
            ("image/heic", None),
            ("audio/wav", None),
            ("application/", None),
            ("application/a b", None),
            ("", None),
        ] {
            let found = MediaType::parse(mime).map(|found| found.kind());
            assert_eq!(found, kind, "{mime}");
        }
    }
}
