//! Never ends, and asks the host for nothing.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        turn.reply_text("I am about to think")?;
        let mut n = 0_u64;
        loop {
            n = std::hint::black_box(n.wrapping_add(1));
        }
    }
}

vestibule_plugin::export!(Guest as auto_reply);
