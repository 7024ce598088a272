//! What the asker may see. Whoever may not see texts sees that there was one.

use serde_json::{Value, json};

use crate::domain::{InboundContent, InboundMessage};

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// What people, clients and plugins said, and phone numbers and user ids as they are.
    pub texts: bool,
    /// A webhook's bytes, when they are asked for.
    pub raw: bool,
    /// All of the bytes: other tenants' messages may be in them.
    pub whole_body: bool,
}

impl Sight {
    /// The operator's.
    pub const OPERATOR: Self = Self {
        texts: true,
        raw: true,
        whole_body: true,
    };
    /// Of those who run a tenant.
    pub const ADMIN: Self = Self {
        whole_body: false,
        ..Self::OPERATOR
    };
    /// Of those who work with its conversations.
    pub const DESK: Self = Self {
        raw: false,
        ..Self::ADMIN
    };
    /// Of those who look at what happens, and not at what is said.
    pub const MASKED: Self = Self {
        texts: false,
        ..Self::DESK
    };

    /// A phone number or a user id.
    pub fn person(self, address: &str) -> String {
        match self.texts {
            true => address.to_owned(),
            false => masked(address, 2),
        }
    }

    /// Meta's id of a message: it contains the phone number.
    pub fn wamid(self, wamid: &str) -> String {
        match self.texts {
            true => wamid.to_owned(),
            false => format!("wamid.{}", masked(wamid.trim_start_matches("wamid."), 0)),
        }
    }

    /// Content, or only what kind it is of.
    pub fn content(self, kind: &str, content: Value) -> Value {
        match self.texts {
            true => content,
            false => json!({"type": kind}),
        }
    }

    /// What somebody else wrote into a place of ours: a fault's message, a reason's words.
    pub fn words(self, text: &str) -> Option<String> {
        self.texts.then(|| text.to_owned())
    }
}

/// The first `front` characters and the last two.
fn masked(text: &str, front: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() < front + 6 {
        return "…".to_owned();
    }
    let head: String = chars[..front].iter().collect();
    let tail: String = chars[chars.len() - 2..].iter().collect();
    format!("{head}…{tail}")
}

/// What a message says, in a line: for people who may see it.
pub(super) fn preview(content: &Value) -> Option<String> {
    let message: InboundMessage = serde_json::from_value(content.clone()).ok()?;
    let text = match message.content {
        InboundContent::Text { body } => body,
        InboundContent::ButtonReply { title, .. } | InboundContent::ListReply { title, .. } => {
            title
        }
        InboundContent::TemplateButton { text, .. } => text,
        _ => return None,
    };
    Some(shortened(&text))
}

/// One line of it.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST + 1)
        .collect();
    match line.chars().count() > MOST {
        true => format!("{}…", line.chars().take(MOST).collect::<String>()),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_see_a_person_sees_hardly_anything_of_their_number() {
        assert_eq!(Sight::MASKED.person("447700900123"), "44…23");
        assert_eq!(Sight::MASKED.person("4912"), "…");
        assert_eq!(Sight::DESK.person("447700900123"), "447700900123");
        assert_eq!(
            Sight::MASKED.wamid("wamid.HBgMNDQ3NzAwOTAwMTIz"),
            "wamid.…Iz"
        );
        let said = json!({"type": "text", "body": "my secret"});
        assert_eq!(
            Sight::MASKED.content("text", said.clone()),
            json!({"type": "text"})
        );
        assert_eq!(preview(&said).as_deref(), Some("my secret"));
    }

    #[test]
    fn a_long_or_broken_text_is_one_short_line() {
        assert_eq!(shortened("a\nb\u{1b}[1m"), "a b [1m");
        assert_eq!(shortened(&"x".repeat(99)).chars().count(), 61);
    }
}
