//! Hears of everything and does as it is told: sets timers, answers events, notes receipts.

use std::time::Duration;

use vestibule_plugin::{
    AutoReply, EventTurn, Field, OnEvent, OnReceipt, OnTimer, OptOut, Outcome, Purpose,
    ReceiptTurn, TimerTurn, Turn, Value, kv,
};

struct Clockwork;

impl AutoReply for Clockwork {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let words = turn.message().text();
        match words.split_once(' ') {
            Some(("remind", seconds)) => {
                let seconds = seconds.parse().unwrap_or(1);
                let fields = [Field::new("said", words.as_str())];
                turn.set_timer("remind", Duration::from_secs(seconds), &fields)?;
                turn.reply_text("I will.")?;
            }
            Some(("hand", queue)) => turn.hand_over(queue, Some("wants a person"))?,
            Some(("timers", count)) => {
                for n in 0..count.parse().unwrap_or(1) {
                    turn.set_timer(&format!("t{n} {}", turn.message().id()), HOUR, &[])?;
                }
                turn.reply_text("set")?;
            }
            Some(("metrics", count)) => {
                turn.metric("visits", 1.0)?;
                for n in 0..count.parse().unwrap_or(1) {
                    turn.metric(&format!("n{n}.{}", turn.message().id()), 1.0)?;
                }
                turn.reply_text("counted")?;
            }
            _ => match words.as_str() {
                "forget it" => {
                    turn.cancel_timer("remind")?;
                    turn.reply_text("Forgotten.")?;
                }
                "close" => turn.close()?,
                "leave me alone" => turn.opt_out(OptOut::All)?,
                "write to me again" => turn.opt_in("write to me")?,
                "quote me" => turn.quoting().reply_text("Quoted.")?,
                "who am I" => {
                    let city = turn.conversation().contact_attribute("city");
                    let city = city
                        .as_ref()
                        .and_then(Value::text)
                        .unwrap_or("nobody knows");
                    turn.reply_text(city)?;
                }
                "remember" => {
                    kv::Space::Contact.set_for("seen", b"yes", Duration::from_secs(1))?;
                    kv::Space::Conversation.add("turns", 1)?;
                    let page = kv::Space::Contact.list("", None, 10)?;
                    turn.reply_text(&page.keys.join(","))?;
                }
                _ => turn.reply_text(&words)?,
            },
        }
        Ok(())
    }
}

const HOUR: Duration = Duration::from_secs(3600);

impl OnEvent for Clockwork {
    fn handle(turn: &mut EventTurn<'_>) -> Outcome {
        let name = turn.event().name();
        turn.metric("events", 1.0)?;
        turn.add_tag(&name)?;
        turn.note(&format!("{name} {}", turn.event().id()))?;
        turn.emit("seen", &turn.event().fields())?;
        if let Some(city) = turn.event().field("city") {
            turn.set_contact_attribute("city", city)?;
        }
        if turn.conversation().is_the_bots() {
            turn.meaning(Purpose::Utility).reply_text(&name)?;
        }
        Ok(())
    }
}

impl OnTimer for Clockwork {
    fn fire(turn: &mut TimerTurn<'_>) -> Outcome {
        let said = turn.timer().field("said");
        let said = said.as_ref().and_then(Value::text).unwrap_or_default();
        turn.reply_text(&format!("You said: {said}"))?;
        Ok(())
    }
}

impl OnReceipt for Clockwork {
    fn receive(turn: &mut ReceiptTurn<'_>) -> Outcome {
        let status = format!("{:?}", turn.receipt().status());
        turn.set_attribute("last_receipt", status)?;
        Ok(())
    }
}

vestibule_plugin::export!(
    Clockwork as auto_reply,
    Clockwork as on_event,
    Clockwork as on_timer,
    Clockwork as on_receipt,
);
