//! What becomes of a customer who says nothing more: they are reminded where they stopped, and the conversation is closed.
//! Off, unless the tenant sets the times.

use std::time::Duration;

use vestibule_plugin::{Outcome, ReadError, TimerTurn, Turn, info, window};

use crate::answer;
use crate::place::Place;
use crate::settings::Settings;

/// Timers by what they do. A new message sets them anew; they end when people get the conversation.
const REMIND: &str = "idle/remind";
const CLOSE: &str = "idle/close";

/// The customer has been answered and is `there`: the wait begins anew.
pub(crate) fn begin(turn: &mut Turn<'_>, there: &Place, settings: &Settings) -> Outcome {
    let idle = &settings.idle;
    // Who is at the top has had an answer: there is nothing to go on with.
    let remind = idle.remind_after_minutes > 0 && !there.is_top();
    if remind {
        turn.set_timer(REMIND, minutes(idle.remind_after_minutes), &[])?;
    } else if idle.remind_after_minutes > 0 {
        turn.cancel_timer(REMIND)?;
    }
    if idle.close_after_minutes > 0 {
        let wait = idle.close_after_minutes + if remind { idle.remind_after_minutes } else { 0 };
        turn.set_timer(CLOSE, minutes(wait), &[])?;
    }
    Ok(())
}

/// Nobody has written since.
pub(crate) fn over(turn: &mut TimerTurn<'_>, settings: &Settings) -> Outcome {
    let conversation = turn.conversation().id();
    match turn.timer().name().as_str() {
        REMIND => {
            let here = Place::recall(&conversation, &settings.menu)?;
            if here.is_top() || !may_speak()? {
                return Ok(());
            }
            info!("reminded");
            answer::show(turn, here, &settings.idle.reminder, settings)?;
        }
        CLOSE => {
            Place::default().remember(&conversation)?;
            turn.close()?;
        }
        // Of another version of the plugin.
        _ => {}
    }
    Ok(())
}

/// Without the grant nobody knows; then policy decides on what is said, as it does anyway.
fn may_speak() -> Result<bool, ReadError> {
    match window::lets_speak() {
        Err(ReadError::Denied) => Ok(true),
        answer => answer,
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
