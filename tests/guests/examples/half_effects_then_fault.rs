//! Replies, writes to its memory, sets a tag, and then reports a fault: none of it may happen.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        turn.reply_text("half of the answer")?;
        turn.add_tag("half")?;
        vestibule_plugin::kv::set("half", b"done")?;
        Err(vestibule_plugin::Failure::Fault("half way".to_owned()))
    }
}

vestibule_plugin::export!(Guest as auto_reply);
