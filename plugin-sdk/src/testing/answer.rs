//! What came out of a turn, and the questions that tests ask about it.

use crate::content::Content;
use crate::log::Level;
use crate::{Effect, Failure, Receiver, Route};

/// One turn's result. After a failure `effects` has what earlier hooks of the turn asked for, after a retry nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub effects: Vec<Effect>,
    /// What the routing hook decided, when there is one.
    pub route: Option<Route>,
    pub failure: Option<Failure>,
    pub log: Vec<(Level, String)>,
}

impl Answer {
    /// The words of the one reply.
    ///
    /// # Panics
    /// When there is none, or more than one: the test expected otherwise.
    #[track_caller]
    pub fn text(&self) -> &str {
        let texts = self.texts();
        assert!(texts.len() == 1, "not one reply: {self:#?}");
        texts[0]
    }

    /// The words of all replies, in order: texts, and the bodies of buttons and lists.
    pub fn texts(&self) -> Vec<&str> {
        let body = |content| match content {
            &Content::Text { ref body, .. }
            | &Content::Buttons { ref body, .. }
            | &Content::List { ref body, .. } => Some(body.as_str()),
            _ => None,
        };
        self.said().into_iter().filter_map(body).collect()
    }

    /// Everything that was said, in order.
    pub fn said(&self) -> Vec<&Content> {
        self.effects.iter().filter_map(content_of).collect()
    }

    /// What the customer can tap, as (id, title): buttons and rows of all replies.
    pub fn choices(&self) -> Vec<(&str, &str)> {
        self.said().into_iter().flat_map(choices_of).collect()
    }

    /// The queue that the conversation was given to.
    pub fn handed_over_to(&self) -> Option<&str> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::HandOver {
                to: Receiver::Queue(queue),
                ..
            } => Some(queue.as_str()),
            _ => None,
        })
    }

    pub fn is_silent(&self) -> bool {
        self.said().is_empty()
    }
}

fn content_of(effect: &Effect) -> Option<&Content> {
    match effect {
        Effect::Say { content, .. } => Some(content),
        _ => None,
    }
}

fn choices_of(content: &Content) -> Vec<(&str, &str)> {
    match content {
        Content::Buttons { buttons, .. } => buttons
            .iter()
            .map(|b| (b.id.as_str(), b.title.as_str()))
            .collect(),
        Content::List { sections, .. } => sections
            .iter()
            .flat_map(|s| &s.rows)
            .map(|r| (r.id.as_str(), r.title.as_str()))
            .collect(),
        _ => Vec::new(),
    }
}
