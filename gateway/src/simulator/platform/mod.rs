//! Graph's API beside `/messages`: media, numbers, accounts, templates, block list (`whatsapp-cloud-api.md` §1.3, §5, §6).
//!
//! One file per kind of object. A token sees the numbers that it was given for and the accounts that they belong to.

mod account;
mod block;
mod media;
mod number;
mod registration;
mod templates;
mod uploads;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::error::GraphError;
use super::number::Number;
use super::query;
use super::world::World;

pub(super) use uploads::Uploads;

/// One call, taken apart.
struct Call<'a> {
    world: &'a World,
    method: &'a str,
    /// Where it was sent to, for links that lead to the next page.
    path: &'a str,
    query: HashMap<String, String>,
    token: Option<&'a str>,
    content_type: &'a str,
    offset: Option<&'a str>,
    body: Bytes,
}

/// Granted, or a status of its own with a body (partial success of the block list).
enum Answer {
    Ok(Value),
    With(StatusCode, Value),
}

type Answered = Result<Answer, GraphError>;

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Ok(value)
    }
}

fn success() -> Answer {
    Answer::Ok(json!({ "success": true }))
}

/// Answers one call; `parts` is its path without the version.
pub(super) async fn answer(
    world: &World,
    head: &Parts,
    parts: &[&str],
    token: Option<&str>,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let text = |name| {
        let value = head.headers.get(name);
        value.and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let call = Call {
        world,
        method: head.method.as_str(),
        path: head.uri.path(),
        query: query::parse(head.uri.query().unwrap_or_default()),
        token,
        content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
        offset: head
            .headers
            .get("file_offset")
            .and_then(|value| value.to_str().ok()),
        body,
    };
    let (status, value) = match call.route(parts).await {
        Ok(Answer::Ok(value)) => (StatusCode::OK, value),
        Ok(Answer::With(status, value)) => (status, value),
        Err(error) => (error.status, error.body("ASimTrace0000000000000")),
    };
    (status, Bytes::from(value.to_string()))
}

impl Call<'_> {
    async fn route(&self, parts: &[&str]) -> Answered {
        if self.token().is_none() {
            return Err(GraphError::bad_token());
        }
        match parts {
            [id] if id.starts_with("upload:") => self.upload(id),
            [id] => self.object(id).await,
            [_, "uploads"] => self.begin_upload(),
            [id, "media"] => self.upload_media(&*self.number(id)?).await,
            [
                id,
                "message_templates"
                | "upsert_message_templates"
                | "phone_numbers"
                | "subscribed_apps",
            ] => self.account_edge(id, parts[1]).await,
            [id, "unpause"] => self.unpause(id),
            [id, edge] => self.number_edge(&*self.number(id)?, edge),
            _ => Err(GraphError::unknown_object(&parts.join("/"))),
        }
    }

    /// `/{id}`: a number, an account, a medium or a template.
    async fn object(&self, id: &str) -> Answered {
        if self.world.number(id).is_ok() {
            return match self.method {
                "POST" => self.webhook_configuration(&*self.number(id)?).await,
                _ => self.number_object(&*self.number(id)?),
            };
        }
        if self.world.has_waba(id) {
            return self.account_object(id);
        }
        if self.world.template_by_id(id).is_some() {
            return self.template_object(id);
        }
        self.media_object(id)
    }

    /// The header's token, or Graph's `access_token` in the query.
    fn token(&self) -> Option<&str> {
        let in_query = self.query.get("access_token");
        self.token.or(in_query.map(String::as_str))
    }

    /// The number, if the token is its own.
    fn number(&self, id: &str) -> Result<Arc<Number>, GraphError> {
        let number = self
            .world
            .number(id)
            .map_err(|_| GraphError::unknown_object(id))?;
        if self.token() != Some(&number.spec().access_token) {
            return Err(GraphError::bad_token());
        }
        Ok(number)
    }

    /// The account must be one that the token sees.
    fn account(&self, waba_id: &str) -> Result<(), GraphError> {
        let numbers = self.world.numbers_of(waba_id);
        if numbers.is_empty() {
            return Err(GraphError::unknown_object(waba_id));
        }
        let seen = |number: &Arc<Number>| self.token() == Some(&number.spec().access_token);
        numbers
            .iter()
            .any(seen)
            .then_some(())
            .ok_or_else(GraphError::bad_token)
    }

    /// The body as JSON; an empty one has no fields.
    fn json(&self) -> Result<Value, GraphError> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| GraphError::new(100, "The request body is not valid JSON."))
    }

    /// What `fields` asks for, or the usual ones.
    fn select(
        &self,
        id: &str,
        all: &Map<String, Value>,
        usual: &[&str],
    ) -> Result<Value, GraphError> {
        let given = self
            .query
            .get("fields")
            .map(|fields| fields.split(',').map(str::trim).collect());
        let names: Vec<&str> = given.unwrap_or_else(|| usual.to_vec());
        let mut chosen = Map::new();
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            // `name{sub,fields}` and `name.limit(1)` ask for the same with fewer parts.
            let plain = name.split(['{', '.', '(']).next().unwrap_or(name);
            match all.get(plain) {
                Some(Value::Null) => {}
                Some(value) => drop(chosen.insert(plain.to_owned(), value.clone())),
                None if plain == "id" => {}
                None => {
                    let details =
                        format!("Tried accessing nonexisting field ({plain}) on node type");
                    return Err(GraphError::new(100, details));
                }
            }
        }
        chosen.insert("id".to_owned(), json!(id));
        Ok(Value::Object(chosen))
    }

    fn no_such_method(&self) -> GraphError {
        GraphError::new(
            100,
            format!("Unsupported {} request.", self.method.to_lowercase()),
        )
    }
}

/// Every messaging call says which product it means (§0.2).
fn for_whatsapp(body: &Value) -> Result<(), GraphError> {
    if body["messaging_product"] == "whatsapp" {
        return Ok(());
    }
    Err(GraphError::new(
        100,
        "The parameter messaging_product is required.",
    ))
}

impl World {
    /// Does this token see that number?
    pub(super) fn may_see(&self, token: Option<&str>, phone_number_id: &str) -> bool {
        let number = self.number(phone_number_id);
        number.is_ok_and(|number| token == Some(&number.spec().access_token))
    }

    pub(super) fn numbers_of(&self, waba_id: &str) -> Vec<Arc<Number>> {
        let mut numbers = self.all_numbers();
        numbers.retain(|number| number.waba_id() == waba_id);
        numbers
    }

    pub(super) fn has_waba(&self, waba_id: &str) -> bool {
        !self.numbers_of(waba_id).is_empty()
    }
}
