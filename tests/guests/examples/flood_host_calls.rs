//! Calls the host ten million times.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let mut sum = 0_u64;
        for _ in 0..10_000_000 {
            sum = sum.wrapping_add(vestibule_plugin::clock::now());
        }
        turn.reply_text(&sum.to_string())?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
