//! Notes language, an attribute and a tag; tries to reply, which its hook may not, and tags what the host said to that.

use vestibule_plugin::{EffectError, Enrichment, Outcome, Turn};

struct Enricher;

impl Enrichment for Enricher {
    fn enrich(turn: &mut Turn<'_>) -> Outcome {
        turn.set_language("de")?;
        turn.set_attribute("last-words", &turn.message().text())?;
        let tag = match turn.reply_text("hello") {
            Err(EffectError::Denied(_)) => "denied",
            _ => "replied",
        };
        turn.add_tag(tag)?;
        Ok(())
    }
}

vestibule_plugin::export!(Enricher as enrichment);
