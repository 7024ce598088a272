//! `DELETE /plugin-keys/{signing_key}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::ObjectId;
use super::super::{Answer, State};
use crate::tenants::plugin_keys;

/// Believe a key no more
///
/// What it signed stays installed: to take that out, stop its digest.
#[utoipa::path(
    delete, path = "/plugin-keys/{signing_key}", operation_id = "plugin_keys.revoke", tag = "plugins",
    params(("signing_key" = String, Path, description = "The key's name")),
    responses((status = 204, description = "Revoked")),
)]
pub(super) async fn revoke(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(name): ObjectId<String>,
) -> Answer<StatusCode> {
    plugin_keys::revoke(&api.acting(&caller), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
