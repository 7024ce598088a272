//! Needs 2 MiB beyond its arena in every turn: the slow path of the host's reset.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let large = vec![1_u8; 2 << 20];
        let sum: u64 = large.iter().map(|byte| u64::from(*byte)).sum();
        turn.reply_text(&sum.to_string())?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
