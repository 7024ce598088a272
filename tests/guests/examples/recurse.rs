//! Calls itself until the stack ends.

use std::hint::black_box;

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Recurse;

impl AutoReply for Recurse {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let depth = down(black_box(0), black_box(u64::MAX));
        turn.reply_text(&depth.to_string())?;
        Ok(())
    }
}

/// Rotated, so that no compiler makes a loop of it. Takes none of the plugin's memory: the host's stack is what ends.
fn down(depth: u64, last: u64) -> u64 {
    if depth == last {
        return depth;
    }
    down(depth + 1, last).rotate_left(7) ^ depth
}

vestibule_plugin::export!(Recurse as auto_reply);
