//! Asks for a hundred thousand replies and does not care what the host answers.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        for n in 0..100_000 {
            let _ = turn.reply_text(&format!("reply {n}"));
        }
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
