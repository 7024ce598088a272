//! `DELETE /apps/{app}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::ObjectId;
use super::super::{Answer, State};
use crate::domain::AppId;
use crate::tenants::removal;

/// Remove a Meta app
///
/// Its webhooks are refused from then on. Refused with 409 while it has numbers.
#[utoipa::path(
    delete, path = "/apps/{app}", operation_id = "apps.delete", tag = "apps",
    params(("app" = AppId, Path)),
    responses((status = 204, description = "Removed")),
)]
pub(super) async fn delete(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(id): ObjectId<AppId>,
) -> Answer<StatusCode> {
    removal::app(&api.acting(&caller), &id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}
