//! A reference plugin: "where is my order 4711?", asked of the shop's own server.
//!
//! One turn: find out whether the customer asks about an order and which ([`wish`]), ask the shop ([`shop`]), say what it
//! says. A shop that is down, slow or talks nonsense costs the customer nothing: people take over. The shop's token and the
//! customer's number are written in by the gateway; the plugin sees neither.

mod settings;
mod shop;
mod wish;

use std::time::Duration;

use vestibule_plugin::kv::{KvError, Space};
use vestibule_plugin::{AutoReply, Kind, Outcome, ReadError, Turn, config, info, warn, window};

use settings::{Settings, Texts};
use shop::Answer;
use wish::Wish;

/// The hook.
pub struct OrderLookup;

/// Set while we wait for the number that we asked for.
const ASKED: &str = "asked";
/// A number that comes later than this is no answer to our question. A guess: people look for their bill.
const ASKED_FOR: Duration = Duration::from_secs(30 * 60);

/// Of a reason in the note for people, which has at most 1,024 characters.
const REASON_CHARS: usize = 500;

impl AutoReply for OrderLookup {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let message = turn.message();
        if message.kind() != Kind::Text {
            return Ok(());
        }
        let settings: Settings = config::read()?;
        let text = message.text();
        let Some(wish) = wish::of(&text, &settings) else {
            return Ok(());
        };
        let language = turn.conversation().language();
        let texts = settings.texts_for(language.as_deref());
        match wish {
            Wish::Which => which(turn, texts),
            Wish::Order(order) => look_up(turn, order, &settings, texts),
            Wish::Number(order) if was_asked()? => look_up(turn, order, &settings, texts),
            Wish::Number(_) => Ok(()),
        }
    }
}

/// Asks for the number. Without the grant `kv` it has to come with a word beside it.
fn which(turn: &mut Turn<'_>, texts: &Texts) -> Outcome {
    match Space::Conversation.set_for(ASKED, b"1", ASKED_FOR) {
        Ok(()) | Err(KvError::Denied) => Ok(turn.reply_text(&texts.which)?),
        Err(error) => Err(error.into()),
    }
}

/// Have we asked for a number? Only once.
fn was_asked() -> Result<bool, KvError> {
    match Space::Conversation.get(ASKED) {
        Ok(Some(_)) => Space::Conversation.delete(ASKED).map(|()| true),
        Ok(None) | Err(KvError::Denied) => Ok(false),
        Err(error) => Err(error),
    }
}

fn look_up(turn: &mut Turn<'_>, order: &str, settings: &Settings, texts: &Texts) -> Outcome {
    if !may_speak()? {
        info!("the window has closed: people decide what to do");
        return Ok(turn.hand_over(&settings.queue, Some(&asks_for(order)))?);
    }
    match shop::ask(order, settings) {
        Answer::State(state) => Ok(turn.reply_text(&texts.state(order, &state))?),
        Answer::NoSuchOrder => Ok(turn.reply_text(&texts.unknown(order))?),
        Answer::Nothing(why) => {
            warn!("the shop was not asked or did not answer: {why}");
            turn.reply_text(&texts.handed)?;
            let why: String = why.chars().take(REASON_CHARS).collect();
            let summary = format!("{}; {why}", asks_for(order));
            Ok(turn.hand_over(&settings.queue, Some(&summary))?)
        }
    }
}

fn asks_for(order: &str) -> String {
    format!("asks for order {order}")
}

/// A turn that comes very late cannot answer any more. Without the grant `window` it tries.
fn may_speak() -> Result<bool, ReadError> {
    match window::lets_speak() {
        Err(ReadError::Denied) => Ok(true),
        known => known,
    }
}

vestibule_plugin::export!(OrderLookup as auto_reply);
