//! Routes by the first word: `queue NAME`, `silence`, `pass`; `ask NAME` hands over with a summary. `promise` answers that it
//! did and did not, `both NAME` did and answers otherwise. The bot keeps and echoes the rest.

use vestibule_plugin::{AutoReply, Failure, Outcome, Route, Routing, Turn};

struct Router;

impl Routing for Router {
    fn route(turn: &mut Turn<'_>) -> Result<Route, Failure> {
        let text = turn.message().text();
        Ok(match text.split_once(' ').unwrap_or((&text, "")) {
            ("queue", name) => Route::Queue(name.to_owned()),
            ("silence", _) => Route::Silence,
            ("pass", _) => Route::Pass,
            ("promise", _) => Route::AsAsked,
            ("ask", name) => {
                turn.hand_over(name, Some("asks for people"))?;
                Route::AsAsked
            }
            ("both", name) => {
                turn.hand_over(name, None)?;
                Route::Pass
            }
            _ => Route::Bot,
        })
    }
}

impl AutoReply for Router {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let text = turn.message().text();
        turn.reply_text(&format!("routed to the bot: {text}"))?;
        Ok(())
    }
}

vestibule_plugin::export!(Router as routing, Router as auto_reply);
