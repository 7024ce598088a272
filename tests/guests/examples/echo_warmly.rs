//! The next version of `echo`, one line away from it: a greeting is answered otherwise.

use vestibule_plugin::{AutoReply, Outcome, Turn, config};

struct Echo;

impl AutoReply for Echo {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let prefix: String = config::get("prefix")?.unwrap_or_default();
        let words = turn.message().text().replace("hello", "hello, dear");
        turn.reply_text(&format!("{prefix}{words}"))?;
        Ok(())
    }
}

vestibule_plugin::export!(Echo as auto_reply);
