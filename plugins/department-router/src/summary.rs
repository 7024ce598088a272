//! The summary for people who get a conversation: what is said now, and what was said before.

use vestibule_plugin::history::{Entry, Speaker};
use vestibule_plugin::{Failure, Message, ReadError, history};

/// Things said before that are shown, and characters of each: a summary has at most 1024.
const BEFORE: u32 = 6;
const CHARS: usize = 110;

/// Without the grant `conversation` it tells of this message alone.
pub(crate) fn of(message: Message<'_>) -> Result<String, Failure> {
    let before = match history::recent(BEFORE) {
        Ok(said) => said,
        Err(ReadError::Denied) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut lines = vec![line("customer", "message", &message.text())];
    if !before.is_empty() {
        lines.push("Before, the newest first:".to_owned());
    }
    lines.extend(before.iter().map(told));
    Ok(lines.join("\n"))
}

fn told(entry: &Entry) -> String {
    let who = match &entry.who {
        Speaker::Person => "customer",
        Speaker::Bot => "bot",
        Speaker::Agent => "agent",
        Speaker::Client | Speaker::Gateway | Speaker::Other(_) => "system",
    };
    line(who, &entry.kind, &entry.text)
}

fn line(who: &str, kind: &str, text: &str) -> String {
    // Summaries are read in lists, too: one thing said, one line.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.is_empty() {
        true => format!("{who}: ({kind})"),
        false => format!("{who}: {}", cut(&text)),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
