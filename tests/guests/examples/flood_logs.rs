//! Writes a thousand lines of 2 KiB, then answers.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let line = "x".repeat(2 << 10);
        for _ in 0..1_000 {
            vestibule_plugin::info!("{line}");
        }
        turn.reply_text("logged")?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
