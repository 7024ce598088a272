//! `POST /conversations/{conversation}/snooze`

use axum::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::moment::Moment;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{ConversationView, asked, change};
use crate::desk::Change;
use crate::domain::ConversationId;

/// How long nobody needs to look at it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SnoozeBody {
    /// At most a year from now.
    until: Moment,
    /// The `owner_version` that you have seen.
    owner_version: Option<i64>,
}

/// Snooze a conversation
///
/// Until then, or until the customer writes. Its owner stays.
#[utoipa::path(
    post, path = "/conversations/{conversation}/snooze", operation_id = "conversations.snooze", tag = "conversations",
    params(("conversation" = ConversationId, Path), TenantParam),
    request_body = SnoozeBody,
    responses((status = 200, description = "The conversation as it is now", body = ConversationView)),
)]
pub(super) async fn snooze(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ConversationId>,
    Input(body): Input<SnoozeBody>,
) -> Answer<Json<ConversationView>> {
    let asked = asked(&caller, tenant, id, body.owner_version);
    let until = body.until.0;
    change(&api, &asked, Change::Snooze { until }).await
}
