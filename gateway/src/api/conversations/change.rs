//! `POST /conversations/{conversation}/{take_over, hand_back, close, reopen, wake}`: changes that say nothing more.

use axum::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{ConversationView, asked, change, speaker};
use crate::desk::Change;
use crate::domain::ConversationId;

/// What may be said of a change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    /// The `owner_version` that you have seen: the change is refused when it has moved.
    owner_version: Option<i64>,
    /// What the next owner should know.
    #[schema(max_length = 2000)]
    note: Option<String>,
}

macro_rules! change {
    ($name:ident, $path:literal, $operation:literal, $(#[$doc:meta])* |$caller:ident, $body:ident| $change:expr) => {
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, operation_id = $operation, tag = "conversations",
            params(("conversation" = ConversationId, Path), TenantParam),
            request_body = ChangeBody,
            responses((status = 200, description = "The conversation as it is now", body = ConversationView)),
        )]
        pub(super) async fn $name(
            axum::extract::State(api): State,
            $caller: Caller,
            InTenant(tenant): InTenant,
            ObjectId(id): ObjectId<ConversationId>,
            Input($body): Input<ChangeBody>,
        ) -> Answer<Json<ConversationView>> {
            let asked = asked(&$caller, tenant, id, $body.owner_version);
            change(&api, &asked, $change).await
        }
    };
}

change!(take_over, "/conversations/{conversation}/take_over", "conversations.take_over",
    /// Take a conversation over
    ///
    /// It is yours, and what the bot had queued is withdrawn in the same commit.
    |caller, body| Change::Give { to: speaker(&caller).owner(), note: body.note });

change!(hand_back, "/conversations/{conversation}/hand_back", "conversations.hand_back",
    /// Hand a conversation back to the bot
    ///
    /// The bot's next turn is told (attribute `vestibule.handed_back`).
    |caller, body| Change::HandBack { note: body.note });

change!(close, "/conversations/{conversation}/close", "conversations.close",
    /// Close a conversation
    ///
    /// The bot has it again; the customer's next message opens it.
    |caller, body| Change::Close);

change!(reopen, "/conversations/{conversation}/reopen", "conversations.reopen",
    /// Open a closed conversation
    |caller, body| Change::Reopen);

change!(wake, "/conversations/{conversation}/wake", "conversations.wake",
    /// End a snooze
    |caller, body| Change::Wake);
