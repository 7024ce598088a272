//! Media in a send: an id that Meta gave for an upload, or a link that Meta fetches itself (§4.2, §5).
//!
//! Exactly one of the two stands in the JSON (`id`, `link`); both or neither cannot be read.

use serde::{Deserialize, Serialize};

/// Where Meta takes the file from. Passed on as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaSource {
    Id(String),
    Link(String),
}

/// The file alone: a sticker, or the header of an interactive message or template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Media {
    pub source: MediaSource,
}

/// An image or a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Captioned {
    pub source: MediaSource,
    pub caption: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Document {
    pub source: MediaSource,
    pub caption: Option<String>,
    /// What the person sees and saves it as.
    pub filename: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Audio {
    pub source: MediaSource,
    /// A voice message: OGG with OPUS, mono.
    pub voice: bool,
}

/// All that may stand in the JSON of any of them.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caption: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    voice: bool,
}

impl Written {
    fn of(source: MediaSource) -> Self {
        let (id, link) = match source {
            MediaSource::Id(id) => (Some(id), None),
            MediaSource::Link(link) => (None, Some(link)),
        };
        Self {
            id,
            link,
            ..Self::default()
        }
    }

    fn source(&mut self) -> Result<MediaSource, &'static str> {
        match (self.id.take(), self.link.take()) {
            (Some(id), None) => Ok(MediaSource::Id(id)),
            (None, Some(link)) => Ok(MediaSource::Link(link)),
            (Some(_), Some(_)) => Err("media takes either `id` or `link`, not both"),
            (None, None) => Err("media needs an `id` or a `link`"),
        }
    }

    /// Refuses what the kind of media does not take.
    fn without(&self, caption: bool, filename: bool, voice: bool) -> Result<(), &'static str> {
        if caption && self.caption.is_some() {
            return Err("this kind of media takes no `caption`");
        }
        if filename && self.filename.is_some() {
            return Err("this kind of media takes no `filename`");
        }
        if voice && self.voice {
            return Err("this kind of media takes no `voice`");
        }
        Ok(())
    }
}

impl TryFrom<Written> for Media {
    type Error = &'static str;

    fn try_from(mut written: Written) -> Result<Self, Self::Error> {
        written.without(true, true, true)?;
        Ok(Self {
            source: written.source()?,
        })
    }
}

impl From<Media> for Written {
    fn from(media: Media) -> Self {
        Self::of(media.source)
    }
}

impl TryFrom<Written> for Captioned {
    type Error = &'static str;

    fn try_from(mut written: Written) -> Result<Self, Self::Error> {
        written.without(false, true, true)?;
        Ok(Self {
            source: written.source()?,
            caption: written.caption,
        })
    }
}

impl From<Captioned> for Written {
    fn from(media: Captioned) -> Self {
        Self {
            caption: media.caption,
            ..Self::of(media.source)
        }
    }
}

impl TryFrom<Written> for Document {
    type Error = &'static str;

    fn try_from(mut written: Written) -> Result<Self, Self::Error> {
        written.without(false, false, true)?;
        Ok(Self {
            source: written.source()?,
            caption: written.caption,
            filename: written.filename,
        })
    }
}

impl From<Document> for Written {
    fn from(media: Document) -> Self {
        Self {
            caption: media.caption,
            filename: media.filename,
            ..Self::of(media.source)
        }
    }
}

impl TryFrom<Written> for Audio {
    type Error = &'static str;

    fn try_from(mut written: Written) -> Result<Self, Self::Error> {
        written.without(true, true, false)?;
        Ok(Self {
            source: written.source()?,
            voice: written.voice,
        })
    }
}

impl From<Audio> for Written {
    fn from(media: Audio) -> Self {
        Self {
            voice: media.voice,
            ..Self::of(media.source)
        }
    }
}
