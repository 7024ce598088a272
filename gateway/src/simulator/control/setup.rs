//! Numbers, templates, faults, statuses and what was recorded.

use serde::Deserialize;
use serde_json::Value;

use super::super::chat::Tick;
use super::super::config::SimNumber;
use super::{Answer, Call, Refusal, done, to_value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusCommand {
    message: String,
    status: Tick,
    #[serde(default)]
    code: Option<i64>,
}

pub(super) fn route(call: &Call<'_>, method: &str, path: &[&str]) -> Answer {
    let world = call.world;
    match (method, path) {
        ("GET", ["numbers"]) => to_value(&world.overview().numbers),
        ("PUT", ["numbers", id]) => put_number(call, id),
        ("PUT", ["templates"]) => {
            world.put_template(call.body()?);
            done()
        }
        ("GET", ["templates"]) => {
            let templates = world.templates();
            to_value(&templates.iter().map(AsRef::as_ref).collect::<Vec<_>>())
        }
        ("POST", ["faults"]) => {
            world.faults.add(call.body()?);
            done()
        }
        ("GET", ["faults"]) => to_value(&world.faults.all()),
        ("DELETE", ["faults"]) => {
            world.faults.clear();
            done()
        }
        ("GET", ["violations"]) => to_value(&world.violations.all()),
        ("DELETE", ["violations"]) => {
            world.violations.clear();
            done()
        }
        ("GET", ["requests"]) => requests(call),
        ("DELETE", ["requests"]) => {
            world.requests.clear();
            done()
        }
        ("PUT", ["statuses", "policy"]) => {
            world.set_status_policy(call.body()?);
            done()
        }
        ("POST", ["statuses"]) => {
            let command: StatusCommand = call.body()?;
            world.status_on_command(&command.message, command.status, command.code)?;
            done()
        }
        _ => Err(Refusal::Path),
    }
}

fn put_number(call: &Call<'_>, id: &str) -> Answer {
    let mut body: Value = call.body()?;
    body["phone_number_id"] = Value::from(id);
    let number: SimNumber = serde_json::from_value(body)?;
    call.world.put_number(number);
    done()
}

/// `?after=SEQUENCE&limit=N&number=…&recipient=…`: the first `limit` that match, oldest first.
fn requests(call: &Call<'_>) -> Answer {
    let after = call.number("after")?.unwrap_or(0);
    let limit = call.number("limit")?.unwrap_or(1_000);
    let number = call.word("number");
    let recipient = call.word("recipient");
    let found = call.world.requests.matching(|record| {
        record.sequence > after
            && number.is_none_or(|number| number == record.phone_number_id)
            && (recipient.is_none() || recipient == record.recipient.as_deref())
    });
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    to_value(
        &found
            .iter()
            .take(limit)
            .map(AsRef::as_ref)
            .collect::<Vec<_>>(),
    )
}
