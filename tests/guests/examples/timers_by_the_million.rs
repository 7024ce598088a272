//! Sets a million timers, due long ago and never, and tells how many were taken.

use vestibule_plugin::{AutoReply, Due, Outcome, Turn};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let wanted = turn.message().text().parse().unwrap_or(1_000_000);
        let mut taken = 0;
        for n in 0..wanted {
            let due = [Due::At(0), Due::At(u64::MAX)][n % 2];
            taken += usize::from(turn.set_timer_at(&format!("t{n}"), due, &[]).is_ok());
        }
        turn.reply_text(&taken.to_string())?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
