//! `GET /conversations/{conversation}/notes`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::moment::Moment;
use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::get::found;
use crate::domain::{ConversationId, id};
use crate::storage::notes;

/// A note for the people who work with a conversation. Customers never see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConversationNote {
    /// A plugin with its version.
    by: String,
    at: Moment,
    text: String,
}

/// Notes on a conversation
///
/// The newest first.
#[utoipa::path(
    get, path = "/conversations/{conversation}/notes", operation_id = "conversations.notes", tag = "conversations",
    params(("conversation" = ConversationId, Path), PageParams, TenantParam),
    responses((status = 200, description = "A page", body = Paged<ConversationNote>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(conversation): ObjectId<ConversationId>,
    page: Page,
) -> Answer<Json<Paged<ConversationNote>>> {
    let row = found(&api, tenant, conversation).await?;
    let mut tx = api.setup.db.read().await?;
    let (before, most) = (page.before(), page.most());
    let rows = notes::of_conversation(&mut tx, tenant, row.id, before, most).await?;
    let show = |note: notes::Note| ConversationNote {
        by: note.author,
        at: Moment(id::made_at(note.id)),
        text: note.body,
    };
    Ok(Json(page.of(rows, |note| note.id, show)))
}
