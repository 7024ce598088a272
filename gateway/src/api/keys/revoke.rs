//! `DELETE /keys/{key}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use crate::access::keys;
use crate::domain::ApiKeyId;

/// Revoke a key
///
/// It is refused from now on, on every node.
#[utoipa::path(
    delete, path = "/keys/{key}", operation_id = "keys.revoke", tag = "keys",
    params(("key" = ApiKeyId, Path), TenantParam),
    responses((status = 204, description = "Revoked")),
)]
pub(super) async fn revoke(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<ApiKeyId>,
) -> Answer<StatusCode> {
    keys::revoke(&api.acting(&caller), realm, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
