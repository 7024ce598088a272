//! Fills its memory, turn after turn, and tells how that went: `kept`, or the words of the quota.

use vestibule_plugin::{AutoReply, Outcome, Turn, kv};

struct Hoarder;

impl AutoReply for Hoarder {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let key = format!("hoard/{}", turn.message().id());
        let answer = match kv::set(&key, &[7; 20_000]) {
            Ok(()) => "kept".to_owned(),
            Err(error) => error.to_string(),
        };
        turn.reply_text(&answer)?;
        Ok(())
    }
}

vestibule_plugin::export!(Hoarder as auto_reply);
