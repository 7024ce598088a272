//! Rule 4: is the content something that WhatsApp accepts? Lengths and counts of §4.3, in Unicode code points.
//!
//! Meta would refuse it too, but only after a network call, and in words that name no field.

use std::collections::HashSet;

use crate::domain::outbound::{ListSection, ReplyButton};
use crate::domain::{Draft, OutboundContent, Timestamp};

use super::decide::Refusal;
use super::facts::Facts;
use super::reason::Reason;
use super::template;

/// Refuses content that breaks a limit of its type.
pub(super) fn fits(facts: &Facts, draft: &Draft, _now: Timestamp) -> Result<(), Refusal> {
    match &draft.content {
        OutboundContent::Text { body, .. } => text("a text body", body, 4096),
        OutboundContent::Buttons {
            body,
            footer,
            buttons: all,
        } => {
            text("an interactive body", body, 1024)?;
            optional("a footer", footer.as_deref(), 60)?;
            buttons(all)
        }
        OutboundContent::List {
            body,
            button,
            sections: all,
        } => {
            text("a list body", body, 4096)?;
            text("a list button", button, 20)?;
            sections(all)
        }
        OutboundContent::Template {
            name,
            language,
            parameters,
        } => template::fits(facts.template, draft.class, name, language, parameters),
        // An empty emoji takes the reaction back.
        OutboundContent::Reaction { message_id, .. }
        | OutboundContent::MarkRead { message_id, .. } => filled("a message id", message_id),
    }
}

fn buttons(all: &[ReplyButton]) -> Result<(), Refusal> {
    count("reply buttons", all.len(), 1, 3)?;
    for button in all {
        text("a button title", &button.title, 20)?;
        text("a button id", &button.id, 256)?;
    }
    unique("button titles", all.iter().map(|button| &button.title))?;
    unique("button ids", all.iter().map(|button| &button.id))
}

fn sections(all: &[ListSection]) -> Result<(), Refusal> {
    count("list sections", all.len(), 1, 10)?;
    let rows = || all.iter().flat_map(|section| &section.rows);
    count("list rows in total", rows().count(), 1, 10)?;
    for section in all {
        count("rows of a section", section.rows.len(), 1, 10)?;
        if all.len() > 1 {
            filled(
                "a section title, when there is more than one section",
                &section.title,
            )?;
        }
        at_most("a section title", &section.title, 24)?;
    }
    for row in rows() {
        text("a row title", &row.title, 24)?;
        text("a row id", &row.id, 200)?;
        optional("a row description", row.description.as_deref(), 72)?;
    }
    unique("row ids", rows().map(|row| &row.id))
}

/// Text that must be there and fit.
pub(super) fn text(what: &str, value: &str, limit: usize) -> Result<(), Refusal> {
    filled(what, value)?;
    at_most(what, value, limit)
}

pub(super) fn filled(what: &str, value: &str) -> Result<(), Refusal> {
    if value.trim().is_empty() {
        return Err(
            Refusal::new(Reason::ContentEmpty).allowing(format!("{what} that is not empty"))
        );
    }
    Ok(())
}

fn optional(what: &str, value: Option<&str>, limit: usize) -> Result<(), Refusal> {
    value.map_or(Ok(()), |value| text(what, value, limit))
}

fn at_most(what: &str, value: &str, limit: usize) -> Result<(), Refusal> {
    if longer_than(value, limit) {
        return Err(Refusal::new(Reason::ContentTooLong)
            .allowing(format!("{what} of at most {limit} characters")));
    }
    Ok(())
}

/// Counts code points only where the bytes do not already settle it.
pub(super) fn longer_than(value: &str, limit: usize) -> bool {
    value.len() > limit && value.chars().count() > limit
}

fn count(what: &str, found: usize, least: usize, most: usize) -> Result<(), Refusal> {
    if !(least..=most).contains(&found) {
        return Err(
            Refusal::new(Reason::ContentCount).allowing(format!("{least} to {most} {what}"))
        );
    }
    Ok(())
}

fn unique<'a>(what: &str, mut values: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    if values.all(|value| seen.insert(value)) {
        return Ok(());
    }
    Err(Refusal::new(Reason::ContentNotUnique).allowing(format!("{what} that differ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outbound::ListRow;
    use crate::policy::fixture::{code_of, facts, now, plugin_reply};
    use crate::policy::{Decision, decide};

    fn verdict(content: OutboundContent) -> &'static str {
        let mut draft = plugin_reply("");
        draft.content = content;
        code_of(&decide(&facts(), &draft, now()))
    }

    fn body(body: &str) -> OutboundContent {
        OutboundContent::Text {
            body: body.into(),
            preview_url: false,
        }
    }

    fn with_buttons(body: &str, footer: Option<&str>, buttons: &[(&str, &str)]) -> &'static str {
        verdict(OutboundContent::Buttons {
            body: body.into(),
            footer: footer.map(Into::into),
            buttons: buttons
                .iter()
                .map(|(id, title)| ReplyButton {
                    id: (*id).into(),
                    title: (*title).into(),
                })
                .collect(),
        })
    }

    fn section(title: &str, rows: impl Iterator<Item = (String, usize)>) -> ListSection {
        ListSection {
            title: title.into(),
            rows: rows
                .map(|(id, title)| ListRow {
                    id,
                    title: "t".repeat(title),
                    description: None,
                })
                .collect(),
        }
    }

    fn ids(range: std::ops::Range<u32>) -> impl Iterator<Item = (String, usize)> {
        range.map(|n| (n.to_string(), 24))
    }

    fn with_sections(sections: Vec<ListSection>) -> &'static str {
        verdict(OutboundContent::List {
            body: "b".repeat(4096),
            button: "b".repeat(20),
            sections,
        })
    }

    #[test]
    fn text_is_counted_in_code_points() {
        assert_eq!(verdict(body(&"ж".repeat(4096))), "cleared");
        assert_eq!(verdict(body(&"🙂".repeat(4096))), "cleared");
        assert_eq!(verdict(body(&"a".repeat(4097))), "content_too_long");
        assert_eq!(verdict(body(" \n ")), "content_empty");
    }

    #[test]
    fn a_refusal_says_what_would_fit() {
        let decision = decide(&facts(), &plugin_reply(&"a".repeat(4097)), now());
        let Decision::Refused(refusal) = decision else {
            panic!("too long a text must be refused");
        };
        let allowed = "a text body of at most 4096 characters";
        assert_eq!(refusal.allowed.as_deref(), Some(allowed));
    }

    #[test]
    fn buttons_are_one_to_three_short_and_different() {
        let one = [("a", "Yes")];
        assert_eq!(with_buttons("b", None, &one), "cleared");
        assert_eq!(
            with_buttons(&"b".repeat(1024), Some(&"f".repeat(60)), &one),
            "cleared"
        );
        assert_eq!(
            with_buttons(&"b".repeat(1025), None, &one),
            "content_too_long"
        );
        assert_eq!(
            with_buttons("b", Some(&"f".repeat(61)), &one),
            "content_too_long"
        );
        assert_eq!(with_buttons("", None, &one), "content_empty");
        assert_eq!(with_buttons("b", Some(""), &one), "content_empty");
        assert_eq!(with_buttons("b", None, &[]), "content_count");
        let four = [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")];
        assert_eq!(with_buttons("b", None, &four), "content_count");
        assert_eq!(
            with_buttons("b", None, &[("a", "A"), ("b", "A")]),
            "content_not_unique"
        );
        assert_eq!(
            with_buttons("b", None, &[("a", "A"), ("a", "B")]),
            "content_not_unique"
        );
        assert_eq!(with_buttons("b", None, &[("", "A")]), "content_empty");
        assert_eq!(
            with_buttons("b", None, &[(&"i".repeat(257), "A")]),
            "content_too_long"
        );
        assert_eq!(
            with_buttons("b", None, &[("a", &"t".repeat(21))]),
            "content_too_long"
        );
    }

    #[test]
    fn a_list_has_ten_rows_in_total_and_titles_where_it_has_sections() {
        assert_eq!(with_sections(vec![section("", ids(0..10))]), "cleared");
        let halves = |title: &str, more| {
            with_sections(vec![section("A", ids(0..5)), section(title, ids(5..more))])
        };
        assert_eq!(halves("B", 10), "cleared");
        assert_eq!(halves("", 10), "content_empty");
        assert_eq!(halves("B", 11), "content_count");
        assert_eq!(halves("B", 5), "content_count");
        assert_eq!(halves(&"B".repeat(25), 10), "content_too_long");
        assert_eq!(with_sections(vec![]), "content_count");
        let twice = with_sections(vec![section("A", ids(0..2)), section("B", ids(1..3))]);
        assert_eq!(twice, "content_not_unique");
        let long = with_sections(vec![section("A", [("x".to_owned(), 25)].into_iter())]);
        assert_eq!(long, "content_too_long");
        let long = with_sections(vec![section("A", [("x".repeat(201), 5)].into_iter())]);
        assert_eq!(long, "content_too_long");
    }

    #[test]
    fn a_reaction_may_be_taken_back_but_must_say_from_what() {
        let reaction = |message_id: &str, emoji: &str| {
            verdict(OutboundContent::Reaction {
                message_id: message_id.into(),
                emoji: emoji.into(),
            })
        };
        assert_eq!(reaction("wamid.A", ""), "cleared");
        assert_eq!(reaction("", "👍"), "content_empty");
    }
}
