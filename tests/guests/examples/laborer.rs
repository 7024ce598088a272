//! Replies with what it got, behind the setting `prefix`, after as many rounds of work as the setting `work` says. With the
//! setting `picky` it rejects a message with the word "refuse".

use vestibule_plugin::{AutoReply, Failure, Outcome, Turn, config};

struct Laborer;

impl AutoReply for Laborer {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let prefix: String = config::get("prefix")?.unwrap_or_default();
        let work: u64 = config::get("work")?.unwrap_or_default();
        let picky: bool = config::get("picky")?.unwrap_or_default();
        let mut done = 0_u64;
        while done < work {
            done = std::hint::black_box(done + 1);
        }
        let words = turn.message().text();
        if picky && words.contains("refuse") {
            return Err(Failure::Reject("not for me".to_owned()));
        }
        turn.reply_text(&format!("{prefix}{words}"))?;
        Ok(())
    }
}

vestibule_plugin::export!(Laborer as auto_reply);
