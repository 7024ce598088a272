//! Refuses every message.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let words = turn.message().text();
        Err(vestibule_plugin::Failure::Reject(format!(
            "not for me: {words}"
        )))
    }
}

vestibule_plugin::export!(Guest as auto_reply);
