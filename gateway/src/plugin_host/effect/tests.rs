//! Each limit of facts §4.3, at its edge and one beyond.

use super::*;
use crate::plugin_host::testing::conversation;

fn check(effect: Effect) -> Result<(), String> {
    match effect.check(Hook::AutoReply, &conversation()) {
        Ok(()) => Ok(()),
        Err(EffectRefused::Invalid(what)) => Err(what),
        Err(other) => panic!("{other:?}"),
    }
}

fn reply(content: OutboundContent) -> Result<(), String> {
    check(Effect::Reply { content })
}

fn text(body: &str) -> Result<(), String> {
    reply(OutboundContent::Text {
        body: body.to_owned(),
        preview_url: false,
    })
}

fn buttons(body: &str, footer: Option<&str>, buttons: &[(&str, &str)]) -> Result<(), String> {
    let button = |(id, title): &(&str, &str)| ReplyButton {
        id: (*id).to_owned(),
        title: (*title).to_owned(),
    };
    reply(OutboundContent::Buttons {
        body: body.to_owned(),
        footer: footer.map(str::to_owned),
        buttons: buttons.iter().map(button).collect(),
    })
}

fn list(sections: &[(&str, usize)]) -> Result<(), String> {
    let mut next = 0;
    let mut row = |_| {
        next += 1;
        crate::domain::outbound::ListRow {
            id: format!("row-{next}"),
            title: "a row".to_owned(),
            description: None,
        }
    };
    let section = |(title, rows): &(&str, usize)| ListSection {
        title: (*title).to_owned(),
        rows: (0..*rows).map(&mut row).collect(),
    };
    reply(OutboundContent::List {
        body: "choose".to_owned(),
        button: "open".to_owned(),
        sections: sections.iter().map(section).collect(),
    })
}

fn template(name: &str, parameters: &[(Option<&str>, &str)]) -> Result<(), String> {
    let parameter = |(name, value): &(Option<&str>, &str)| TemplateParameter {
        name: name.map(str::to_owned),
        value: (*value).to_owned(),
    };
    reply(OutboundContent::Template {
        name: name.to_owned(),
        language: "en_GB".to_owned(),
        parameters: parameters.iter().map(parameter).collect(),
    })
}

#[test]
fn text_is_counted_in_code_points() {
    assert_eq!(text(&"é".repeat(4096)), Ok(()));
    assert!(text(&"é".repeat(4097)).is_err());
    assert!(text(&"x".repeat(1 << 20)).is_err());
    assert!(text("").is_err());
    assert!(text("a\0b").is_err());
}

#[test]
fn buttons_are_one_to_three_and_differ() {
    assert_eq!(
        buttons("?", Some("foot"), &[("a", "Yes"), ("b", "No")]),
        Ok(())
    );
    assert_eq!(
        buttons("?", None, &[(&"i".repeat(256), &"t".repeat(20))]),
        Ok(())
    );
    assert!(buttons("?", None, &[]).is_err());
    assert!(buttons("?", None, &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]).is_err());
    assert!(buttons("?", None, &[("a", "Yes"), ("a", "No")]).is_err());
    assert!(buttons("?", None, &[("a", "Yes"), ("b", "Yes")]).is_err());
    assert!(buttons("?", None, &[("a", &"t".repeat(21))]).is_err());
    assert!(buttons("?", None, &[(&"i".repeat(257), "t")]).is_err());
    assert!(buttons(&"b".repeat(1025), None, &[("a", "Yes")]).is_err());
    assert!(buttons("?", Some(&"f".repeat(61)), &[("a", "Yes")]).is_err());
}

#[test]
fn a_list_has_ten_rows_in_all() {
    assert_eq!(list(&[("", 10)]), Ok(()));
    assert_eq!(list(&[("one", 5), ("two", 5)]), Ok(()));
    assert!(list(&[("one", 5), ("two", 6)]).is_err());
    assert!(list(&[("one", 5), ("", 5)]).is_err());
    assert!(list(&[("one", 0)]).is_err());
    assert!(list(&[]).is_err());
    assert!(list(&[(&"t".repeat(25), 1)]).is_err());
}

#[test]
fn template_parameters_are_what_meta_takes() {
    assert_eq!(
        template("delivery_eta", &[(None, "Ines"), (None, "10:30")]),
        Ok(())
    );
    assert_eq!(template("delivery_eta", &[(Some("name"), "Ines")]), Ok(()));
    assert!(template("Delivery", &[]).is_err());
    assert!(template("delivery_eta", &[(Some("name"), "Ines"), (None, "10:30")]).is_err());
    assert!(template("delivery_eta", &[(Some("a"), "1"), (Some("a"), "2")]).is_err());
    for value in ["a\nb", "a\tb", "a     b", ""] {
        assert!(
            template("delivery_eta", &[(None, value)]).is_err(),
            "{value:?}"
        );
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
