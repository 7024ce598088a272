//! Replies with what it got, behind the setting `prefix`; a message with the word "crack" breaks it.

use vestibule_plugin::{AutoReply, Outcome, Turn, config};

struct Brittle;

impl AutoReply for Brittle {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let prefix: String = config::get("prefix")?.unwrap_or_default();
        let words = turn.message().text();
        turn.reply_text(&format!("{prefix}{words}"))?;
        assert!(!words.contains("crack"), "a message that breaks it");
        Ok(())
    }
}

vestibule_plugin::export!(Brittle as auto_reply);
