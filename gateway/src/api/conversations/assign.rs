//! `POST /conversations/{conversation}/assign`

use axum::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{ConversationView, asked, change};
use crate::desk::Change;
use crate::domain::{ConversationId, Owner};

/// Who gets it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignBody {
    /// One of the three.
    to: Kind,
    /// Of the queue, agent (a user's id) or client.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What they should know.
    #[schema(max_length = 2000)]
    note: Option<String>,
    /// The `owner_version` that you have seen.
    owner_version: Option<i64>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AssignKind)]
enum Kind {
    Queue,
    Agent,
    External,
}

/// Give a conversation to a queue, an agent or an outside client
///
/// What the bot had queued is withdrawn in the same commit.
#[utoipa::path(
    post, path = "/conversations/{conversation}/assign", operation_id = "conversations.assign", tag = "conversations",
    params(("conversation" = ConversationId, Path), TenantParam),
    request_body = AssignBody,
    responses((status = 200, description = "The conversation as it is now", body = ConversationView)),
)]
pub(super) async fn assign(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ConversationId>,
    Input(body): Input<AssignBody>,
) -> Answer<Json<ConversationView>> {
    let to = match body.to {
        Kind::Queue => Owner::Queue(body.name),
        Kind::Agent => Owner::Agent(body.name),
        Kind::External => Owner::External(body.name),
    };
    let asked = asked(&caller, tenant, id, body.owner_version);
    let note = body.note;
    change(&api, &asked, Change::Give { to, note }).await
}
