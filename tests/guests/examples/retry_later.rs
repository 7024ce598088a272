//! Asks to be run again, after 50 ms, until the turn's clock is a second past the message.

use std::time::Duration;

use vestibule_plugin::{AutoReply, Failure, Outcome, Turn, clock};

struct RetryLater;

impl AutoReply for RetryLater {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        if clock::now() < turn.message().sent_at() + 1_000 {
            return Err(Failure::Retry(Duration::from_millis(50)));
        }
        turn.reply_text("now")?;
        Ok(())
    }
}

vestibule_plugin::export!(RetryLater as auto_reply);
