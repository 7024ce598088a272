//! `POST /conversations/{conversation}/messages`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::messages::{self, MessageView, may_use};
use super::super::permission;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use super::get::found;
use super::{ConversationView, asked, came_from, problem, speaker, view};
use crate::desk::{DeskError, Words};
use crate::domain::{ConversationId, DraftClass, OutboundContent};

/// A message to the customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    /// `{"type": "text", "body": "…"}`; `docs/messages.md` has the other shapes.
    #[schema(value_type = Object)]
    content: Value,
    /// wamid of the message that it quotes.
    #[schema(max_length = 200)]
    reply_to: Option<String>,
    /// What a template is sent for; every other message is a reply.
    class: Option<Class>,
    /// The `owner_version` that you have seen: nothing is sent when somebody else took the conversation over since.
    owner_version: Option<i64>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MessageClass)]
enum Class {
    Reply,
    Utility,
    Marketing,
    Authentication,
}

/// The message that was queued, and the conversation with its owner.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueuedMessage {
    message: MessageView,
    conversation: ConversationView,
    /// The conversation was the bot's, or a queue's, until now.
    took_over: bool,
}

/// Write to the customer
///
/// A human message takes the conversation over from the bot, in the same commit that queues it. Policy decides as for
/// everybody: 409 `refused` says why not, and in `allowed` what would be let through; then nothing has changed. A message
/// that has to wait (quiet hours, Meta's messaging limit) is queued: its `state` is `deferred`, `due_at` says until when.
#[utoipa::path(
    post, path = "/conversations/{conversation}/messages", operation_id = "conversations.say", tag = "conversations",
    params(("conversation" = ConversationId, Path), TenantParam),
    request_body = NewMessage,
    responses((status = 201, description = "Queued", body = QueuedMessage)),
)]
pub(super) async fn say(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ConversationId>,
    Input(new): Input<NewMessage>,
) -> Answer<Response> {
    let row = found(&api, tenant, id).await?;
    if !may_use(&caller.principal, row.number) {
        return Err(Problem::no_such("conversation", &id.to_string()));
    }
    let content: OutboundContent =
        serde_json::from_value(new.content).map_err(|error| at("/content", error.to_string()))?;
    let words = Words {
        speaker: speaker(&caller),
        class: class(&content, new.class)?,
        reply_to: new.reply_to,
        content,
    };
    // Nothing that is said changes it, and when it is said there is no second look.
    let came_from = came_from(&api, tenant, &[id]).await?;
    let asked = asked(&caller, tenant, id, new.owner_version);
    let said = match api.desk.say(&asked, words).await {
        Ok(said) => said,
        Err(error @ DeskError::Refused(_)) => {
            let refused = problem(error, &asked);
            let may = api.desk.permission(tenant, id).await;
            return Err(match may {
                Ok(may) => refused.with_allowed(permission::view(&may)),
                Err(_) => refused,
            });
        }
        Err(error) => return Err(problem(error, &asked)),
    };
    let body = QueuedMessage {
        // It has just been written: nothing can have come of it yet.
        message: messages::view(&said.send, &messages::Receipts::new()),
        conversation: view(&said.conversation, &came_from),
        took_over: said.took_over,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn class(content: &OutboundContent, class: Option<Class>) -> Answer<DraftClass> {
    let template = matches!(content, OutboundContent::Template { .. });
    match (template, class) {
        (false, None | Some(Class::Reply)) => Ok(DraftClass::Reply),
        (false, Some(_)) => Err(at("/class", "is for templates only".to_owned())),
        (true, Some(Class::Utility)) => Ok(DraftClass::Utility),
        (true, Some(Class::Marketing)) => Ok(DraftClass::Marketing),
        (true, Some(Class::Authentication)) => Ok(DraftClass::Authentication),
        (true, None | Some(Class::Reply)) => {
            let detail = "must say what the template is for: utility, marketing or authentication";
            Err(at("/class", detail.to_owned()))
        }
    }
}

fn at(pointer: &str, detail: String) -> Problem {
    Problem::invalid(vec![FieldProblem::at(pointer, detail)])
}
