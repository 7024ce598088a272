//! Replies with the clock and two random numbers: equal turns, equal replies.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let now = vestibule_plugin::clock::now();
        let first = vestibule_plugin::random::next_u64();
        let second = vestibule_plugin::random::bytes(8);
        turn.reply_text(&format!("{now} {first} {second:?}"))?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
