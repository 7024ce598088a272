//! `GET /audit/{entry}`

use axum::Json;

use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{EntryView, view};
use crate::domain::AuditId;
use crate::storage::audit;

/// One entry
#[utoipa::path(
    get, path = "/audit/{entry}", operation_id = "audit.get", tag = "audit",
    params(("entry" = AuditId, Path), TenantParam),
    responses((status = 200, description = "The entry", body = EntryView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<AuditId>,
) -> Answer<Json<EntryView>> {
    let mut tx = api.setup.db.read().await?;
    let entry = audit::entry(&mut tx, realm, id).await?;
    let entry = entry.ok_or_else(|| Problem::no_such("entry", &id.to_string()))?;
    Ok(Json(view(&entry)))
}
