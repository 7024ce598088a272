//! What the tenant's systems tell of a customer, noted where later turns and people see it.

use vestibule_plugin::{EffectError, EventTurn, Outcome, warn};

use crate::settings::EventRule;

/// Notes what the event says. A field that it does not have leaves its attribute as it is.
pub(crate) fn note(turn: &mut EventTurn<'_>, rule: &EventRule) -> Outcome {
    if let Some(tag) = &rule.tag {
        turn.add_tag(tag)?;
    }
    for (name, field) in &rule.attributes {
        if let Some(value) = turn.event().field(field) {
            turn.set_attribute(name, value.or_text())?;
        }
    }
    for (name, field) in &rule.contact {
        let Some(value) = turn.event().field(field) else {
            continue;
        };
        // Not defined, or of another kind: the tenant can mend it, and the rest of the rule is no worse for it.
        if let Err(EffectError::Invalid(why)) = turn.set_contact_attribute(name, value) {
            warn!("`{name}` of the contact is not set: {why}");
        }
    }
    Ok(())
}
