//! `GET /holds/{hold}`

use axum::Json;

use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{HoldView, view};
use crate::domain::HoldId;
use crate::tenants::holds;

/// One hold in force
#[utoipa::path(
    get, path = "/holds/{hold}", operation_id = "holds.get", tag = "holds",
    params(("hold" = HoldId, Path), TenantParam),
    responses((status = 200, description = "The hold", body = HoldView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<HoldId>,
) -> Answer<Json<HoldView>> {
    Ok(Json(view(&holds::find_one(&api.setup, realm, id).await?)))
}
