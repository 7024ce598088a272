//! Accounts, what stands about numbers, templates and their reviews: looked at, changed, and made to happen.

use serde_json::{Map, Value, json};

use super::super::template::{ReviewPolicy, TemplateEvent};
use super::super::waba::WabaState;
use super::{Answer, Call, Refusal, done, to_value};

pub(super) fn route(call: &Call<'_>, method: &str, path: &[&str]) -> Answer {
    let world = call.world;
    match (method, path) {
        ("GET", ["wabas", id]) => {
            let mut answer = to_value(&world.waba(id))?;
            answer["tier"] = json!(world.tier(id));
            Ok(answer)
        }
        ("PUT", ["wabas", id]) => {
            let changed: WabaState = merged(&world.waba(id), call.body()?)?;
            world.change_waba(id, |waba| *waba = changed);
            done()
        }
        ("POST", ["wabas", id, "events"]) => {
            world.account_event(id, call.body()?)?;
            done()
        }
        ("GET", ["numbers", id, "state"]) => to_value(&world.number(id)?.state()),
        ("PUT", ["numbers", id, "state"]) => {
            let number = world.number(id)?;
            number.set_state(merged(&number.state(), call.body()?)?);
            world.watch.wake();
            done()
        }
        ("GET", ["reviews"]) => to_value(&world.reviews()),
        ("PUT", ["reviews"]) => {
            let policy: ReviewPolicy = call.body()?;
            world.set_reviews(policy);
            done()
        }
        ("POST", ["templates", id, "events"]) => {
            let event: TemplateEvent = call.body()?;
            world.template_event(id, event)?;
            done()
        }
        _ => Err(Refusal::Path),
    }
}

/// What is not named stays as it is.
fn merged<T>(present: &T, changes: Map<String, Value>) -> Result<T, Refusal>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let mut whole = serde_json::to_value(present)?;
    for (name, value) in changes {
        whole[name] = value;
    }
    Ok(serde_json::from_value(whole)?)
}
