//! What a word about a template changes. Pure: the one place where times of syncs, webhooks and answers meet.

use std::time::Duration;

use serde_json::Value;

use crate::domain::Timestamp;
use crate::domain::template::Learnt;
use crate::storage::templates::Template;

/// What was said of one language version; what is `None` was not spoken of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub meta_id: Option<String>,
    pub status: Option<String>,
    pub rejected: Option<String>,
    /// What it was submitted as.
    pub asked_category: Option<String>,
    /// What Meta charges it as.
    pub category: Option<String>,
    /// What it will become, and when; empty: nothing.
    pub next_category: Option<(String, Option<Timestamp>)>,
    pub quality: Option<String>,
    pub components: Option<String>,
    pub ttl_seconds: Option<i64>,
    /// A whole pass did not see it.
    pub gone: bool,
    /// What is kept of it may be out of date: it is asked for again.
    pub stale: bool,
}

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub what: &'static str,
    pub was: String,
    pub became: String,
}

/// Our clock and Meta's differ, and webhooks come late: words so close to each other in time contradict each other
/// only seemingly. The later to come counts, and Graph is asked. A guess; ordinary clocks are better.
const BLUR: Duration = Duration::from_secs(60);
/// Meta's times are whole seconds: what they tell was true at their end at the latest.
const SECOND: Duration = Duration::from_millis(999);

/// Takes words in. `at`: when they were true, by whoever said them.
pub fn learn(row: &mut Template, words: &Words, at: Timestamp, how: Learnt) -> Vec<Changed> {
    let mut changes = Vec::new();
    if let Some(id) = &words.meta_id {
        row.meta_id.clone_from(id);
    }
    if let Some(asked) = &words.asked_category {
        row.asked_category.clone_from(asked);
    }
    if let Some(ttl) = words.ttl_seconds {
        row.ttl_seconds = ttl;
    }
    row.refetch = match how {
        Learnt::Sync => words.stale,
        _ => row.refetch || words.stale,
    };
    let reads = matches!(how, Learnt::Sync | Learnt::Answer);
    let until = if reads { at } else { at.plus(SECOND) };
    let mut dated = |what, word: &Option<String>, kept: &mut String, kept_at: &mut Timestamp| {
        let Some(word) = word else { return };
        let overtaken = match reads {
            // What was read before the latest word may be older than that.
            true => until < *kept_at,
            false => until.plus(BLUR) < *kept_at,
        };
        let contradicts = word != kept && !kept.is_empty();
        let close = until.minus(BLUR) < *kept_at;
        row.refetch |= match how {
            Learnt::Sync => contradicts && overtaken,
            _ => contradicts && close && (reads || !overtaken),
        };
        if overtaken {
            return;
        }
        if word != kept {
            let was = std::mem::replace(kept, word.clone());
            let became = word.clone();
            changes.push(Changed { what, was, became });
        }
        *kept_at = (*kept_at).max(until);
    };
    dated("status", &words.status, &mut row.status, &mut row.status_at);
    dated(
        "category",
        &words.category,
        &mut row.category,
        &mut row.category_at,
    );
    dated(
        "quality",
        &words.quality,
        &mut row.quality,
        &mut row.quality_at,
    );
    next_category(row, words, &mut changes);
    if let Some(rejected) = &words.rejected {
        row.rejected.clone_from(rejected);
    }
    if let Some(components) = &words.components
        && !same(components, &row.components)
    {
        // The earlier words are what would be lost; the new ones stand in the row.
        let was = std::mem::replace(&mut row.components, components.clone());
        if !was.is_empty() {
            let became = String::new();
            changes.push(Changed {
                what: "components",
                was,
                became,
            });
        }
    }
    presence(row, words, at, &mut changes);
    changes
}

/// A change that is done is announced no more.
fn next_category(row: &mut Template, words: &Words, changes: &mut Vec<Changed>) {
    let announced = match &words.next_category {
        Some((next, at)) => (next.clone(), *at),
        None if row.category == row.next_category => (String::new(), None),
        None => return,
    };
    let (next, at) = match announced.0 == row.category {
        true => (String::new(), None),
        false => announced,
    };
    row.next_category_at = at.filter(|_| !next.is_empty());
    if next != row.next_category {
        let was = std::mem::replace(&mut row.next_category, next.clone());
        changes.push(Changed {
            what: "next_category",
            was,
            became: next,
        });
    }
}

fn presence(row: &mut Template, words: &Words, at: Timestamp, changes: &mut Vec<Changed>) {
    let changed = |what| Changed {
        what,
        was: String::new(),
        became: String::new(),
    };
    match (words.gone, row.gone_at) {
        (true, None) => {
            row.gone_at = Some(at);
            changes.push(changed("gone"));
        }
        (false, Some(_)) => {
            row.gone_at = None;
            changes.push(changed("back"));
        }
        _ => {}
    }
}

/// Graph writes the same components in more than one way.
fn same(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    one == other || (!other.is_empty() && read(one).is_some_and(|one| read(other) == Some(one)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{TemplateId, TenantId};

    pub(in super::super) fn row() -> Template {
        Template {
            id: TemplateId::from_raw(1),
            tenant: TenantId::from_raw(2),
            account: "99".to_owned(),
            name: "delivery_eta".to_owned(),
            language: "en".to_owned(),
            meta_id: "812".to_owned(),
            status: "APPROVED".to_owned(),
            status_at: now(),
            asked_category: "UTILITY".to_owned(),
            category: "UTILITY".to_owned(),
            category_at: now(),
            next_category: String::new(),
            next_category_at: None,
            quality: "GREEN".to_owned(),
            quality_at: now(),
            rejected: "NONE".to_owned(),
            components: r#"[{"type":"BODY","text":"Hi"}]"#.to_owned(),
            ttl_seconds: 0,
            heard: 7,
            gone_at: None,
            refetch: false,
            created_at: now(),
            changed_at: now(),
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_secs(1_795_000_000)
    }

    fn seconds(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn status(word: &str) -> Words {
        Words {
            status: Some(word.to_owned()),
            ..Words::default()
        }
    }

    fn whats(changes: &[Changed]) -> Vec<&'static str> {
        changes.iter().map(|change| change.what).collect()
    }

    #[test]
    fn a_later_word_counts_and_an_old_one_changes_nothing() {
        let mut kept = row();
        let later = now().plus(seconds(3_600));
        let changes = learn(&mut kept, &status("PAUSED"), later, Learnt::Webhook);
        assert_eq!(whats(&changes), ["status"]);
        assert!(!kept.refetch);
        let changes = learn(&mut kept, &status("APPROVED"), now(), Learnt::Webhook);
        assert_eq!((whats(&changes), kept.status.as_str()), (vec![], "PAUSED"));
    }

    #[test]
    fn of_two_close_words_the_last_to_come_counts_and_graph_is_asked() {
        for at in [now(), now().minus(seconds(30)), now().plus(seconds(30))] {
            let mut kept = row();
            let changes = learn(&mut kept, &status("PAUSED"), at, Learnt::Webhook);
            assert_eq!(whats(&changes), ["status"]);
            assert!(kept.refetch);
            // What Graph then says ends the doubt.
            let answered = learn(
                &mut kept,
                &status("PAUSED"),
                now().plus(seconds(90)),
                Learnt::Sync,
            );
            assert_eq!((whats(&answered), kept.refetch), (vec![], false));
        }
    }

    #[test]
    fn what_was_read_before_a_webhook_of_its_second_does_not_undo_it_and_is_read_again() {
        let mut kept = row();
        learn(&mut kept, &status("PAUSED"), now(), Learnt::Webhook);
        let begun = now().plus(Duration::from_millis(400));
        for how in [Learnt::Sync, Learnt::Answer] {
            kept.refetch = false;
            let changes = learn(&mut kept, &status("APPROVED"), begun, how);
            assert_eq!((whats(&changes), kept.refetch), (vec![], true));
        }
        let changes = learn(
            &mut kept,
            &status("APPROVED"),
            now().plus(seconds(1)),
            Learnt::Sync,
        );
        assert_eq!((whats(&changes), kept.refetch), (vec!["status"], false));
    }

    #[test]
    fn an_announced_category_is_kept_until_it_is_there() {
        let mut kept = row();
        let day = now().plus(seconds(86_400));
        let warning = Words {
            category: Some("UTILITY".to_owned()),
            next_category: Some(("MARKETING".to_owned(), Some(day))),
            ..Words::default()
        };
        assert_eq!(
            whats(&learn(&mut kept, &warning, now(), Learnt::Webhook)),
            ["next_category"]
        );
        assert_eq!(
            (kept.category.as_str(), kept.next_category_at),
            ("UTILITY", Some(day))
        );
        let done = Words {
            category: Some("MARKETING".to_owned()),
            ..Words::default()
        };
        let changes = learn(&mut kept, &done, day, Learnt::Webhook);
        assert_eq!(whats(&changes), ["category", "next_category"]);
        assert_eq!(
            (kept.category.as_str(), kept.next_category.as_str()),
            ("MARKETING", "")
        );
        assert_eq!(
            (kept.asked_category.as_str(), kept.next_category_at),
            ("UTILITY", None)
        );
    }

    #[test]
    fn the_earlier_words_are_kept_and_the_same_in_another_spelling_are_no_change() {
        let mut kept = row();
        let spoken = |text: &str| Words {
            components: Some(text.to_owned()),
            ..Words::default()
        };
        let spelled = spoken(r#"[ {"text": "Hi", "type": "BODY"} ]"#);
        assert!(learn(&mut kept, &spelled, now(), Learnt::Sync).is_empty());
        let was = kept.components.clone();
        let changes = learn(
            &mut kept,
            &spoken(r#"[{"type":"BODY","text":"Ho"}]"#),
            now(),
            Learnt::Sync,
        );
        assert_eq!(
            (whats(&changes), &changes[0].was),
            (vec!["components"], &was)
        );
    }

    #[test]
    fn what_a_pass_does_not_see_is_gone_and_comes_back_when_it_is_spoken_of() {
        let mut kept = row();
        let gone = Words {
            gone: true,
            ..Words::default()
        };
        assert_eq!(
            whats(&learn(&mut kept, &gone, now(), Learnt::Sync)),
            ["gone"]
        );
        assert_eq!(kept.status, "APPROVED");
        assert!(learn(&mut kept, &gone, now(), Learnt::Sync).is_empty());
        assert_eq!(
            whats(&learn(&mut kept, &status("APPROVED"), now(), Learnt::Sync)),
            ["back"]
        );
    }
}
