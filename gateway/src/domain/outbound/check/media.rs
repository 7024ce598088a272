//! Media: a source that can be one, and the caption's length.

use super::super::media::{Captioned, Document, MediaSource};
use super::{Checked, Fault, Malformed, optional, optional_filled, web_address};

const CAPTION: usize = 1024;

pub(super) fn captioned(media: &Captioned) -> Checked {
    source(&media.source)?;
    optional("caption", media.caption.as_deref(), CAPTION)
}

pub(super) fn document(document: &Document) -> Checked {
    source(&document.source)?;
    optional("caption", document.caption.as_deref(), CAPTION)?;
    optional_filled("filename", document.filename.as_deref())
}

pub(super) fn source(source: &MediaSource) -> Checked {
    match source {
        MediaSource::Link(link) => web_address("link", link),
        // Meta's media ids are digits today; letters and the like are let through for the day they are not.
        MediaSource::Id(id) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()) => Ok(()),
        MediaSource::Id(_) => {
            Err(Malformed::new("id", Fault::Form("the id of an upload")).cited("§5.1"))
        }
    }
}
