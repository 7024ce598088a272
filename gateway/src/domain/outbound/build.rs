//! Builders: content that is checked as it is made, so that none of it is anything WhatsApp refuses for its shape.
//!
//! A [`WellFormed`] is made by its builders or from any content by `try_from`, and reads itself from JSON the same way:
//! who takes one in a request has its field named when it is wrong. Policy asks again at its gate, of every draft.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{ListSection, Malformed, OutboundContent, ReplyButton, TemplateContent};

/// Content that passed [`OutboundContent::check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OutboundContent", into = "OutboundContent")]
pub struct WellFormed(OutboundContent);

impl TryFrom<OutboundContent> for WellFormed {
    type Error = Malformed;

    fn try_from(content: OutboundContent) -> Result<Self, Malformed> {
        content.check()?;
        Ok(Self(content))
    }
}

impl From<WellFormed> for OutboundContent {
    fn from(content: WellFormed) -> Self {
        content.0
    }
}

impl Deref for WellFormed {
    type Target = OutboundContent;

    fn deref(&self) -> &OutboundContent {
        &self.0
    }
}

impl WellFormed {
    pub fn text(body: impl Into<String>) -> Result<Self, Malformed> {
        Self::try_from(OutboundContent::Text {
            body: body.into(),
            preview_url: false,
        })
    }

    pub fn buttons(
        body: impl Into<String>,
        footer: Option<String>,
        buttons: Vec<ReplyButton>,
    ) -> Result<Self, Malformed> {
        Self::try_from(OutboundContent::Buttons {
            header: None,
            body: body.into(),
            footer,
            buttons,
        })
    }

    pub fn list(
        body: impl Into<String>,
        button: impl Into<String>,
        sections: Vec<ListSection>,
    ) -> Result<Self, Malformed> {
        Self::try_from(OutboundContent::List {
            header: None,
            body: body.into(),
            footer: None,
            button: button.into(),
            sections,
        })
    }

    pub fn template(template: TemplateContent) -> Result<Self, Malformed> {
        Self::try_from(OutboundContent::Template(Box::new(template)))
    }
}
