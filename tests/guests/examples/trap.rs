//! Panics, after an effect and with words for the log.

use vestibule_plugin::{AutoReply, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        turn.reply_text("this must never be seen")?;
        let missing: Option<u8> = std::hint::black_box(None);
        missing.expect("the cause that the author reads in the log");
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
