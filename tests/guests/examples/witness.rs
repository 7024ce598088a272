//! Has every hook, and says what it is shown as Rust would print it: by it a test sees what a version of the contract tells.
//! `tests/fixtures/components` keeps it as it was built against earlier versions.

use std::fmt::Debug;

use vestibule_plugin::http::Request;
use vestibule_plugin::templates::{self, Filter};
use vestibule_plugin::{
    AutoReply, Enrichment, EventTurn, Failure, Field, OnEvent, OnReceipt, OnTimer, Outcome,
    ReceiptTurn, Route, Routing, TimerTurn, Turn, contacts, history, kv, window,
};

struct Witness;

impl Enrichment for Witness {
    fn enrich(turn: &mut Turn<'_>) -> Outcome {
        let message = turn.message();
        let media = message.media().map(|media| media.kind);
        turn.note(&format!("{:?} {media:?}", message.kind()))?;
        Ok(())
    }
}

impl Routing for Witness {
    fn route(turn: &mut Turn<'_>) -> Result<Route, Failure> {
        let words = turn.message().text();
        Ok(match words.split_once(' ') {
            Some(("queue", name)) => Route::Queue(name.to_owned()),
            Some(("agent", name)) => Route::Agent(name.to_owned()),
            _ => Route::Pass,
        })
    }
}

impl AutoReply for Witness {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let words = turn.message().text();
        let said = match words.split_once(' ').unwrap_or((&words, "")) {
            ("attributes", _) => shown(&turn.conversation().attributes()),
            ("person", _) => told(contacts::current().map(|person| person.attributes())),
            ("copy", key) => match turn.conversation().attribute(key) {
                Some(value) => told(turn.set_attribute("copy", value)),
                None => "none".to_owned(),
            },
            ("form", _) => told(turn.message().form().ok_or("none")),
            ("recent", _) => told(history::recent(10).map(|said| {
                let who = said.into_iter().map(|entry| entry.who);
                who.collect::<Vec<_>>()
            })),
            ("owner", _) => told(history::owned_by().map(|owned| owned.owner)),
            ("window", _) => told(window::now()),
            ("price", _) => told(window::price()),
            ("templates", _) => told(templates::search(&Filter::default(), None, 10).map(|page| {
                let listed = page.listed.into_iter();
                let listed = listed.map(|one| (one.category, one.quality));
                listed.collect::<Vec<_>>()
            })),
            ("template", name) => {
                told(templates::find(name, "en").map(|found| {
                    found.map(|found| (found.status(), found.header(), found.buttons()))
                }))
            }
            ("memory", key) => told(kv::set(key, b"1").and_then(|()| kv::get(key))),
            ("ask", url) => told(Request::get(url).send().map(|answer| answer.status)),
            ("tag", tag) => told(turn.add_tag(tag)),
            ("remind", _) => {
                let fields = [Field::new("step", 1)];
                told(turn.set_timer("remind", std::time::Duration::from_secs(60), &fields))
            }
            _ => words,
        };
        turn.reply_text(&said)?;
        Ok(())
    }
}

impl OnEvent for Witness {
    fn handle(turn: &mut EventTurn<'_>) -> Outcome {
        let fields = shown(&turn.event().fields());
        turn.note(&fields)?;
        turn.emit("seen", &turn.event().fields())?;
        turn.reply_text(&fields)?;
        Ok(())
    }
}

impl OnTimer for Witness {
    fn fire(turn: &mut TimerTurn<'_>) -> Outcome {
        let fields = shown(&turn.timer().fields());
        turn.reply_text(&fields)?;
        Ok(())
    }
}

impl OnReceipt for Witness {
    fn receive(turn: &mut ReceiptTurn<'_>) -> Outcome {
        let receipt = turn.receipt();
        turn.note(&format!("{:?} {:?}", receipt.status(), receipt.error()))?;
        Ok(())
    }
}

fn shown(fields: &[Field]) -> String {
    let field = |field: &Field| format!("{}={:?}", field.name, field.value);
    let fields: Vec<String> = fields.iter().map(field).collect();
    fields.join(" ")
}

fn told<T: Debug, E: Debug>(read: Result<T, E>) -> String {
    match read {
        Ok(read) => format!("{read:?}"),
        Err(refused) => format!("refused: {refused:?}"),
    }
}

vestibule_plugin::export!(
    Witness as enrichment,
    Witness as routing,
    Witness as auto_reply,
    Witness as on_event,
    Witness as on_timer,
    Witness as on_receipt,
);
