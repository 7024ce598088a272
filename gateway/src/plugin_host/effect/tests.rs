//! What effects other than replies may hold, at its edge and one beyond.

use super::*;
use crate::plugin_host::testing::conversation;

fn check(effect: Effect) -> Result<(), String> {
    match effect.check(Hook::AutoReply, &conversation()) {
        Ok(()) => Ok(()),
        Err(EffectRefused::Invalid(what)) => Err(what),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn an_emoji_is_no_text() {
    for emoji in ["", "👍", "👩🏽‍🚀", "1️⃣"] {
        assert_eq!(
            check(Effect::React {
                emoji: emoji.to_owned()
            }),
            Ok(()),
            "{emoji}"
        );
    }
    for emoji in ["ok", "👍 👍", &"👍".repeat(17)] {
        assert!(
            check(Effect::React {
                emoji: emoji.to_owned()
            })
            .is_err(),
            "{emoji}"
        );
    }
}

#[test]
fn names_are_short_and_printable() {
    let tag = |tag: &str| {
        check(Effect::AddTag {
            tag: tag.to_owned(),
        })
    };
    assert_eq!(tag("new customer"), Ok(()));
    assert!(tag("").is_err());
    assert!(tag("a\nb").is_err());
    assert!(tag(&"t".repeat(65)).is_err());
}

#[test]
fn facts_are_for_all_hooks_and_actions_for_auto_reply() {
    let denied = |effect: Effect, hook| {
        let checked = effect.check(hook, &conversation());
        matches!(checked, Err(EffectRefused::Denied(_)))
    };
    for hook in Hook::ALL {
        let acts = hook != Hook::AutoReply;
        let tag = Effect::AddTag {
            tag: "t".to_owned(),
        };
        assert!(!denied(tag, hook));
        assert_eq!(denied(Effect::Close, hook), acts);
        assert_eq!(denied(Effect::MarkRead { typing: true }, hook), acts);
    }
}

#[test]
fn a_full_conversation_takes_no_new_attribute_but_a_new_value() {
    let mut full = conversation();
    for n in 0..limits::ATTRIBUTES {
        full.attributes.insert(format!("a{n}"), String::new());
    }
    let set = |key: &str| {
        let (key, value) = (key.to_owned(), "v".to_owned());
        Effect::SetAttribute { key, value }.check(Hook::Enrichment, &full)
    };
    assert_eq!(set("a1"), Ok(()));
    assert!(matches!(set("new"), Err(EffectRefused::Quota(_))));
}
