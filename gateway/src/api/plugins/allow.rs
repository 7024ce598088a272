//! `DELETE /plugins/{digest}/stop`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::ObjectId;
use super::super::{Answer, State};
use super::Digest;
use crate::tenants::installations;

/// Lift the stop of an upload
///
/// Nothing comes back by it: installations go on with what they have, which is the version itself where they have not been
/// moved on yet.
#[utoipa::path(
    delete, path = "/plugins/{digest}/stop", operation_id = "plugins.allow", tag = "plugins",
    params(("digest" = String, Path, description = "SHA-256 of the component")),
    responses((status = 204, description = "Lifted")),
)]
pub(super) async fn allow(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(Digest(digest)): ObjectId<Digest>,
) -> Answer<StatusCode> {
    installations::allow(&api.acting(&caller), &digest).await?;
    Ok(StatusCode::NO_CONTENT)
}
