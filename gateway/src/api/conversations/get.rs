//! `GET /conversations/{conversation}`

use axum::Json;

use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, Api, State};
use super::{ConversationView, shown};
use crate::domain::{ConversationId, TenantId};
use crate::storage::conversations::{self, Conversation};

/// One conversation
#[utoipa::path(
    get, path = "/conversations/{conversation}", operation_id = "conversations.get", tag = "conversations",
    params(("conversation" = ConversationId, Path), TenantParam),
    responses((status = 200, description = "The conversation", body = ConversationView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ConversationId>,
) -> Answer<Json<ConversationView>> {
    let row = found(&api, tenant, id).await?;
    Ok(Json(shown(&api, &row).await?))
}

pub(super) async fn found(api: &Api, tenant: TenantId, id: ConversationId) -> Answer<Conversation> {
    let mut tx = api.setup.db.read().await?;
    let rows = conversations::load_all_tenants(&mut tx, &[id]).await?;
    let row = rows.into_iter().find(|row| row.tenant == tenant);
    row.ok_or_else(|| Problem::no_such("conversation", &id.to_string()))
}
