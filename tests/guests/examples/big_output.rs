//! Hands the host a text of 4 MiB and a value of as much; says which of them was refused.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let large = "x".repeat(4 << 20);
        let text = turn.reply_text(&large).is_err();
        let value = vestibule_plugin::kv::set("large", large.as_bytes()).is_err();
        turn.reply_text(&format!("text refused: {text}, value refused: {value}"))?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
