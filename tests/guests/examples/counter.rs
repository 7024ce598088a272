//! Counts turns: blindly for the tenant (`turns`), by reading and writing for the conversation, which it tells.

use vestibule_plugin::{AutoReply, Outcome, Turn, kv};

struct Counter;

impl AutoReply for Counter {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        kv::add("turns", 1)?;
        let key = format!("conversation/{}", turn.conversation().id());
        let count = kv::number(&key)? + 1;
        kv::set(&key, count.to_string().as_bytes())?;
        turn.reply_text(&count.to_string())?;
        Ok(())
    }
}

vestibule_plugin::export!(Counter as auto_reply);
