//! Forges: consent that nobody gave, names of metrics and events that would be lines of somebody's log, keys of other
//! conversations' memory.

use vestibule_plugin::{AutoReply, Outcome, Turn, kv};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let mut taken = Vec::new();
        for words in ["", " ", "yes, write to me", "HELLO"] {
            taken.extend(
                turn.opt_in(words)
                    .is_ok()
                    .then(|| format!("opt-in {words}")),
            );
        }
        for name in ["", "a b", "a\nforged{x=\"y\"} 1", "\u{1b}[31m", "ü"] {
            taken.extend(
                turn.metric(name, 1.0)
                    .is_ok()
                    .then(|| format!("metric {name}")),
            );
            taken.extend(
                turn.emit(name, &[])
                    .is_ok()
                    .then(|| format!("event {name}")),
            );
        }
        taken.extend(turn.metric("m", f64::NAN).is_ok().then(|| "nan".to_owned()));
        for key in ["\u{1}c4/theirs", "\u{1}p5/theirs"] {
            taken.extend(kv::get(key).is_ok().then(|| "foreign memory".to_owned()));
        }
        let foreign = turn.set_contact_attribute("undefined", "x");
        taken.extend(foreign.is_ok().then(|| "undefined attribute".to_owned()));
        turn.reply_text(&format!("taken: {}", taken.join(",")))?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
