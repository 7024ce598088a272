//! A reference plugin: frequent questions, answered by keywords. "When are you open?", in whatever words and language.
//!
//! One turn: read the settings, find the entry that the message asks for ([`find`]), answer in the right language
//! ([`answer`]), perhaps ask whether it helped. A message that asks for nothing known is left to the next plugin. It
//! remembers nothing.

mod answer;
mod find;
mod settings;

use vestibule_plugin::{AutoReply, Kind, Outcome, Turn, config};

use answer::Feedback;
use settings::Settings;

/// The hook.
pub struct Faq;

impl AutoReply for Faq {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let settings: Settings = config::read()?;
        let language = turn.conversation().language();
        let payload = turn.message().payload();
        if let Some(feedback) = payload.and_then(|payload| Feedback::parse(&payload)) {
            return answer::thank(turn, &feedback, language.as_deref(), &settings);
        }
        if turn.message().kind() != Kind::Text {
            return Ok(());
        }
        match find::entry(&turn.message().text(), &settings) {
            Some(found) => answer::answer(turn, &found, language.as_deref(), &settings),
            None => Ok(()),
        }
    }
}

vestibule_plugin::export!(Faq as auto_reply; arena = 1024 * 1024);
