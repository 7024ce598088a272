//! Takes memory until it is refused, which the allocator answers with an abort.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let mut taken: Vec<Vec<u8>> = Vec::new();
        loop {
            // Touched, so that it costs the host something.
            taken.push(vec![1; 256 << 10]);
            if taken.len() > 1 << 20 {
                turn.reply_text("never refused")?;
                return Ok(());
            }
        }
    }
}

vestibule_plugin::export!(Guest as auto_reply);
