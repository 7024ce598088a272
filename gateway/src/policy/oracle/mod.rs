//! A second opinion: random histories judged by the rules and by a naive reading of design.md §5.
//!
//! The [`naive`] oracle keeps no state: for every draft it reads the whole history again and shares no code with the
//! rules but the types. [`driver`] keeps the state that storage would keep and asks the gates. They must agree on
//! every draft of every history, at both gates, down to the reason. A disagreement is shrunk before it is shown.
//!
//! Mutants tried by hand (2026-11-22), 37 of them, each found within 5,000 histories, most within 300:
//! - consent: an opt-in or a late message that lifts or reopens what was stopped after it was written, in the same
//!   second too; an opt-out time that goes back; a second STOP that leaves replies open; CANCEL that closes them, or
//!   counts as STOP, or counts on a menu's button; STOP that lets codes through; STOPALL then STOP that lets them
//!   through; STOPALL whose replies reopen; END that stops utility; START that lifts Meta's stop, Meta's stop ignored;
//!   a confirmation by anyone, at any time, and its 5-minute edge;
//! - category: never asked, not asked of replies, rule left out;
//! - window: no margin, its edge, 131047 ignored, compared in milliseconds, gap ignored, unknown taken for closed,
//!   templates that call themselves replies let through;
//! - owner: version ignored, a queue taken for the bot, a fallback that speaks over an agent;
//! - holds: never ending, any plugin, any language;
//! - backlog: its 5-second edge, held against replies, not held against
//!   codes; the brake asked at the second gate.

mod counts;
mod driver;
mod history;
mod limited;
mod naive;

use driver::World;
use history::{Dice, Event, History};

/// Histories in the ordinary test run (issue 2 asks for 100,000 at least). `VESTIBULE_HISTORIES` asks for more.
const HISTORIES: u64 = 120_000;

#[allow(
    clippy::disallowed_methods,
    reason = "a test that runs longer when it is told to"
)]
fn histories() -> u64 {
    let asked = std::env::var("VESTIBULE_HISTORIES").ok();
    asked.map_or(HISTORIES, |asked| {
        asked.parse().expect("VESTIBULE_HISTORIES is a number")
    })
}

/// The first event at which rules and oracle disagree, with both opinions.
fn disagreement(history: &History) -> Option<String> {
    let mut world = World::new(history);
    for (index, step) in history.steps.iter().enumerate() {
        let Some(decision) = world.apply(step) else {
            continue;
        };
        let opinion = naive::judge(history, index);
        if !opinion.agrees_with(&decision) {
            return Some(format!(
                "step {index}: rules {decision:?}, oracle {opinion:?}"
            ));
        }
    }
    None
}

/// Drops steps as long as the rest still disagrees.
fn shrunk(mut history: History) -> History {
    let mut index = 0;
    while index < history.steps.len() {
        let mut fewer = history.clone();
        fewer.steps.remove(index);
        if disagreement(&fewer).is_some() {
            history = fewer;
            index = 0;
        } else {
            index += 1;
        }
    }
    history
}

fn check(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let history = History::random(&mut Dice::new(seed));
        if disagreement(&history).is_some() {
            let history = shrunk(history);
            panic!(
                "seed {seed}: {}\n{history:#?}",
                disagreement(&history).unwrap_or_default()
            );
        }
    }
}

#[test]
fn rules_and_oracle_agree_on_random_histories() {
    let all = histories();
    let half = all / 2;
    std::thread::scope(|scope| {
        scope.spawn(|| check(0..half));
        scope.spawn(|| check(half..all));
    });
}

#[test]
fn the_histories_reach_every_reason_but_the_shapes_tested_beside_their_rule() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..5_000 {
        let history = History::random(&mut Dice::new(seed));
        let mut world = World::new(&history);
        seen.extend(
            history
                .steps
                .iter()
                .filter_map(|step| world.apply(step))
                .map(|d| driver::code(&d)),
        );
    }
    let elsewhere = [
        "content_count",
        "content_not_unique",
        "content_form",
        "recipient_needs_phone",
        "recipient_not_served",
        "template_parameter_name",
        "template_header",
        "template_button",
        "template_cards",
        "template_offer",
        "template_parameter_empty",
        "template_parameter_mix",
        "template_parameter_too_long",
        "offer_over",
        "not_marketing",
    ];
    for reason in super::Reason::ALL {
        let expected = !elsewhere.contains(&reason.code());
        assert_eq!(seen.contains(reason.code()), expected, "{reason}");
    }
    assert!(seen.contains("cleared"));
}

#[test]
fn a_history_is_its_seed() {
    let twice = [9, 9].map(|seed| History::random(&mut Dice::new(seed)));
    assert_eq!(twice[0], twice[1]);
    assert!(
        twice[0]
            .steps
            .iter()
            .any(|step| matches!(step.event, Event::Draft(_) | Event::Claim))
    );
}
