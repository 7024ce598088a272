//! A reference plugin: what can be known about a customer before anybody answers. Their language ([`language`]), what they
//! talk about (tags), whether they are one of the tenant's VIPs ([`vip`]), and what its systems tell of them ([`event`]).
//!
//! It answers nothing: it sets facts of the conversation, which later plugins of the turn and later turns see. Its memory
//! is one number per contact, and only when the VIP rule counts messages.

mod event;
mod language;
mod settings;
mod vip;

use vestibule_plugin::text::{Index, Words};
use vestibule_plugin::{Enrichment, EventTurn, Kind, OnEvent, Outcome, Turn, config};

use settings::{Detect, Settings, TagRule};

/// The hooks.
pub struct ContactEnricher;

/// Characters of a message that are looked at: the language shows by then, and looking costs fuel.
const LOOKED_AT: usize = 1_000;

impl Enrichment for ContactEnricher {
    fn enrich(turn: &mut Turn<'_>) -> Outcome {
        let settings: Settings = config::read()?;
        let text: String = turn.message().text().chars().take(LOOKED_AT).collect();
        let said = Words::of(&text);
        if turn.message().kind() == Kind::Text {
            note_language(turn, &text, &said, &settings)?;
        }
        let said = Index::of(&said);
        for rule in &settings.tags {
            note_tag(turn, &said, rule)?;
        }
        match &settings.vip {
            Some(rule) => vip::note(turn, &said, rule),
            None => Ok(()),
        }
    }
}

impl OnEvent for ContactEnricher {
    fn handle(turn: &mut EventTurn<'_>) -> Outcome {
        let settings: Settings = config::read()?;
        let name = turn.event().name();
        let rules = settings.events.iter().filter(|rule| rule.event == name);
        rules
            .into_iter()
            .try_for_each(|rule| event::note(turn, rule))
    }
}

/// A button's title is the business's language, not the customer's: only what was typed tells.
fn note_language(turn: &mut Turn<'_>, text: &str, said: &Words, settings: &Settings) -> Outcome {
    let known = turn.conversation().language();
    let wanted = match settings.language.detect {
        Detect::Never => false,
        Detect::WhenUnknown => known.is_none(),
        Detect::Always => true,
    };
    if !wanted {
        return Ok(());
    }
    let Some(found) = language::detect(text, said, &settings.language.among) else {
        return Ok(());
    };
    // `de-AT` that somebody has set says more than `de`.
    let is_known = known.is_some_and(|known| vestibule_plugin::text::is_language(&known, found));
    if !is_known {
        turn.set_language(found)?;
    }
    Ok(())
}

fn note_tag(turn: &mut Turn<'_>, said: &Index<'_>, rule: &TagRule) -> Outcome {
    if !has_any(said, &rule.words) {
        return Ok(());
    }
    turn.add_tag(&rule.tag)?;
    for (key, value) in &rule.attributes {
        turn.set_attribute(key, value)?;
    }
    Ok(())
}

fn has_any(said: &Index<'_>, words: &[String]) -> bool {
    words.iter().any(|word| said.has(&Words::of(word)))
}

vestibule_plugin::export!(ContactEnricher as enrichment, ContactEnricher as on_event; arena = 512 * 1024);
