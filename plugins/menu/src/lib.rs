//! The reference plugin: a menu. "1 for opening hours, 2 for delivery, 0 for a person."
//!
//! One turn: read the settings, recall where the customer is ([`place`]), understand the message ([`wish`]), answer
//! ([`answer`]). It remembers one short key per customer, and nothing for one who is at the top. A customer who says nothing
//! more is reminded and let go, if the tenant wants that ([`idle`]).

mod answer;
mod idle;
mod place;
mod settings;
mod wish;

use vestibule_plugin::{AutoReply, Kind, OnTimer, Outcome, TimerTurn, Turn, config};

use place::Place;
use settings::Settings;
use wish::Wish;

/// The hooks.
pub struct Menu;

impl AutoReply for Menu {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        // A thumb up is an end, not a question.
        if turn.message().kind() == Kind::Reaction {
            return Ok(());
        }
        let settings: Settings = config::read()?;
        if settings.mark_read {
            turn.mark_read(false)?;
        }
        let conversation = turn.conversation().id();
        let here = Place::recall(&conversation, &settings.menu)?;
        let wish = Wish::of(&turn.message(), &here, &settings);
        let there = answer::answer(turn, wish, &here, &settings)?;
        if there != here {
            there.remember(&conversation)?;
        }
        idle::begin(turn, &there, &settings)
    }
}

impl OnTimer for Menu {
    fn fire(turn: &mut TimerTurn<'_>) -> Outcome {
        let settings: Settings = config::read()?;
        idle::over(turn, &settings)
    }
}

vestibule_plugin::export!(Menu as auto_reply, Menu as on_timer);
