//! Counts every turn of its tenant under one key, by reading and writing: the key that all conversations race for.

use vestibule_plugin::{AutoReply, Outcome, Turn, kv};

struct HotKey;

impl AutoReply for HotKey {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let count = kv::number("all")? + 1;
        kv::set("all", count.to_string().as_bytes())?;
        turn.reply_text(&count.to_string())?;
        Ok(())
    }
}

vestibule_plugin::export!(HotKey as auto_reply);
