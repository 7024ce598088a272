//! The block list of a number (`whatsapp-cloud-api.md` §6.10).

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::error::GraphError;
use super::super::identity::{Identity, chat_key};
use super::super::number::Number;
use super::{Answer, Answered, Call, for_whatsapp};

/// In one call, and in all.
const AT_ONCE: usize = 1_000;
const MOST: usize = 64_000;
/// Only who wrote within this time can be blocked.
const RECENT: Duration = Duration::from_secs(24 * 60 * 60);

impl Call<'_> {
    pub(super) fn block_users(&self, number: &Number) -> Answered {
        match self.method {
            "GET" => Ok(self.blocked(number)),
            "POST" => self.change_blocks(number, true),
            "DELETE" => self.change_blocks(number, false),
            _ => Err(self.no_such_method()),
        }
    }

    fn blocked(&self, number: &Number) -> Answer {
        let blocked = number.account.lock().blocked.clone();
        let data: Vec<Value> = blocked.iter().map(|key| element(key, number)).collect();
        Answer::Ok(json!({ "data": data, "paging": { "cursors": { "before": "", "after": "" } } }))
    }

    fn change_blocks(&self, number: &Number, block: bool) -> Answered {
        let body = self.json()?;
        for_whatsapp(&body)?;
        let users = body["block_users"]
            .as_array()
            .filter(|users| !users.is_empty());
        let users = users.ok_or_else(|| GraphError::missing("block_users"))?;
        if users.len() > AT_ONCE {
            return Err(GraphError::invalid(
                "block_users",
                "has more than 1000 users",
            ));
        }
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for user in users {
            let input = user["user"]
                .as_str()
                .or(user["user_id"].as_str())
                .unwrap_or_default();
            match self.change_block(number, input, block) {
                Ok(key) => {
                    let mut element = element(&key, number);
                    element["input"] = json!(input);
                    done.push(element);
                }
                Err(error) => failed.push(json!({ "input": input, "errors": [{
                    "message": error.title, "code": error.code, "error_data": { "details": error.details },
                }] })),
            }
        }
        Ok(outcome(block, &done, &failed))
    }

    fn change_block(
        &self,
        number: &Number,
        input: &str,
        block: bool,
    ) -> Result<String, GraphError> {
        let key = chat_key(input, number.waba_id())
            .ok_or_else(|| GraphError::new(139100, "Not a phone number or user id"))?;
        let mut account = number.account.lock();
        if !block {
            account.blocked.remove(&key);
            return Ok(key);
        }
        if account.blocked.len() >= MOST {
            return Err(GraphError::new(139101, "The block list is full"));
        }
        let wrote = number.with_customer(&key, |customer| customer.wrote_at);
        if wrote.plus(RECENT) < self.world.clock.now() {
            return Err(GraphError::new(
                139100,
                "The person has not written within 24 hours",
            ));
        }
        account.blocked.insert(key.clone());
        Ok(key)
    }
}

fn element(key: &str, number: &Number) -> Value {
    let identity = Identity::of(key, number.waba_id());
    let mut element = json!({ "messaging_product": "whatsapp", "user_id": identity.user_id });
    if let Some(wa_id) = identity.wa_id {
        element["wa_id"] = json!(wa_id);
    }
    element
}

/// A mixed result is a 400 that still says who was blocked.
fn outcome(block: bool, done: &[Value], failed: &[Value]) -> Answer {
    let name = if block {
        "added_users"
    } else {
        "removed_users"
    };
    let mut body = json!({ "messaging_product": "whatsapp", "block_users": { name: done } });
    if failed.is_empty() {
        return Answer::Ok(body);
    }
    body["block_users"]["failed_users"] = json!(failed);
    body["error"] = GraphError::new(139100, "Failed to block some of the users")
        .body("ASimTrace0000000000000")["error"]
        .take();
    Answer::With(StatusCode::BAD_REQUEST, body)
}
