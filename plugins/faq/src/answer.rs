//! What the customer gets: the answer, the question whether it helped, and a word after their reply to it.

use vestibule_plugin::{Button, Failure, Outcome, Turn, info};

use crate::find::Found;
use crate::settings::{HelpfulTexts, Settings};

/// WhatsApp's bound for the body of a message with buttons.
const BUTTONS_BODY: usize = 1024;
/// Before everything in the ids of our buttons.
const TAP: &str = "faq/";

/// Answers in the conversation's language, else in that of the words that were found, else in the fallback language.
pub(crate) fn answer(
    turn: &mut Turn<'_>,
    found: &Found<'_>,
    language: Option<&str>,
    settings: &Settings,
) -> Outcome {
    let languages = [
        language.unwrap_or(found.language),
        &settings.fallback_language,
    ];
    let Some(answer) = found.entry.answers.best(&languages) else {
        return Ok(());
    };
    info!("answered: {}", found.entry.id);
    match texts(&languages, settings) {
        Some(texts) => Ok(ask(turn, answer, &found.entry.id, texts)?),
        None => Ok(turn.reply_text(answer)?),
    }
}

fn texts<'a>(languages: &[&str], settings: &'a Settings) -> Option<&'a HelpfulTexts> {
    settings.helpful.as_ref()?.texts.best(languages)
}

/// Answer and question in one message, or in two when they are too long for one.
fn ask(turn: &mut Turn<'_>, answer: &str, id: &str, texts: &HelpfulTexts) -> Result<(), Failure> {
    let buttons = [
        Button::new(format!("{TAP}yes/{id}"), &*texts.yes),
        Button::new(format!("{TAP}no/{id}"), &*texts.no),
    ];
    let both = format!("{answer}\n\n{}", texts.question);
    if both.chars().count() <= BUTTONS_BODY {
        turn.reply_buttons(&both, None, &buttons)?;
    } else {
        turn.reply_text(answer)?;
        turn.reply_buttons(&texts.question, None, &buttons)?;
    }
    Ok(())
}

/// A tap on one of our buttons.
pub(crate) struct Feedback {
    helped: bool,
    entry: String,
}

impl Feedback {
    pub(crate) fn parse(payload: &str) -> Option<Self> {
        let (word, entry) = payload.strip_prefix(TAP)?.split_once('/')?;
        let helped = match word {
            "yes" => true,
            "no" => false,
            _ => return None,
        };
        let entry = entry.to_owned();
        Some(Self { helped, entry })
    }
}

/// A word after a tap; people take over when the answer did not help and a queue is named. Buttons of a time when
/// somebody asked and nobody does now are left to the next plugin.
pub(crate) fn thank(
    turn: &mut Turn<'_>,
    feedback: &Feedback,
    language: Option<&str>,
    settings: &Settings,
) -> Outcome {
    let fallback = settings.fallback_language.as_str();
    let Some(texts) = texts(&[language.unwrap_or(fallback), fallback], settings) else {
        return Ok(());
    };
    info!("{} helped: {}", feedback.entry, feedback.helped);
    if feedback.helped {
        return Ok(turn.reply_text(&texts.thanks)?);
    }
    turn.reply_text(&texts.sorry)?;
    let queue = settings
        .helpful
        .as_ref()
        .and_then(|helpful| helpful.queue.as_ref());
    if let Some(queue) = queue {
        let note = format!("The FAQ's answer “{}” did not help", feedback.entry);
        turn.hand_over(queue, Some(&note))?;
    }
    Ok(())
}
