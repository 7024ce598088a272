//! Who is a VIP, by the tenant's rule. Once a VIP, always one: the tag is never taken away here.

use vestibule_plugin::kv::{self, KvError};
use vestibule_plugin::text::{Index, Words};
use vestibule_plugin::{Outcome, Turn, Value, info, warn};

use crate::has_any;
use crate::settings::Vip;

/// Tags the conversation when the rule holds for it.
pub(crate) fn note(turn: &mut Turn<'_>, said: &Index<'_>, rule: &Vip) -> Outcome {
    let messages = match rule.messages {
        Some(_) => count(turn)?,
        None => 0,
    };
    if turn.conversation().tags().contains(&rule.tag) {
        return Ok(());
    }
    let has_value = |(name, values): (&String, &Vec<String>)| {
        let value = turn.conversation().attribute(name);
        let value = value.as_ref().and_then(Value::text);
        value.is_some_and(|value| {
            values
                .iter()
                .any(|wanted| Words::of(wanted) == Words::of(value))
        })
    };
    let why = if has_any(said, &rule.words) {
        "words"
    } else if rule.attributes.iter().any(has_value) {
        "attributes"
    } else if rule.messages.is_some_and(|enough| messages >= enough) {
        "messages"
    } else {
        return Ok(());
    };
    info!("a VIP by {why}");
    turn.add_tag(&rule.tag)?;
    for (key, value) in &rule.set {
        turn.set_attribute(key, value)?;
    }
    Ok(())
}

/// Counts this message and answers how many the contact has written. Without the grant nobody becomes a VIP by it, and
/// everything else goes on.
fn count(turn: &Turn<'_>) -> Result<i64, KvError> {
    let key = format!("messages/{}", turn.conversation().contact());
    match kv::add(&key, 1) {
        Ok(()) => kv::number(&key),
        Err(KvError::Denied) => {
            warn!("`vip.messages` needs the grant kv");
            Ok(0)
        }
        Err(error) => Err(error),
    }
}
