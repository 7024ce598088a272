//! Tells the tenant's server what was said, and answers the same whatever that says: two versions of it differ in nothing but
//! what they ask others.

use serde::Serialize;
use vestibule_plugin::http::Request;
use vestibule_plugin::{AutoReply, Outcome, Turn, config, warn};

#[derive(Serialize)]
struct Told {
    said: String,
    tone: String,
}

struct Teller;

impl AutoReply for Teller {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let shop: String = config::get("shop")?.unwrap_or_default();
        let told = Told {
            said: turn.message().text(),
            tone: config::get("tone")?.unwrap_or_default(),
        };
        let asked = Request::post(&format!("{shop}/echo")).json(&told).send();
        if let Err(error) = asked {
            warn!("{error}");
        }
        turn.reply_text("Noted.")?;
        Ok(())
    }
}

vestibule_plugin::export!(Teller as auto_reply);
