//! The next version of `counter`, which asks its memory for another key: no journal knows the answer.

use vestibule_plugin::{AutoReply, Outcome, Turn, kv};

struct Counter;

impl AutoReply for Counter {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let key = format!("conversations/{}", turn.conversation().id());
        let count = kv::number(&key).unwrap_or(0) + 1;
        turn.reply_text(&count.to_string())?;
        Ok(())
    }
}

vestibule_plugin::export!(Counter as auto_reply);
