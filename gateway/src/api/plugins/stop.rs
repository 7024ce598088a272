//! `POST /plugins/{digest}/stop`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::ObjectId;
use super::super::{Answer, State};
use super::Digest;
use crate::tenants::installations;

/// Why it is stopped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopBody {
    /// For those who meet it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// What a stop did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StopView {
    digest: String,
    /// In how many installations it ran or was to run. It runs in none of them any more.
    installations: u64,
    /// Of these, the ones that go on with their last good version, or without one, already.
    moved: u64,
    /// The others: the nodes move them on, some at a time. Until then they answer with the tenant's fallback.
    remaining: u64,
}

/// Stop an upload everywhere
///
/// With the answer nothing with this digest runs any more, at any tenant, no turn that ran it commits anything, and it cannot
/// be installed. Each installation goes on with its last good version; one that has none answers with the tenant's fallback.
#[utoipa::path(
    post, path = "/plugins/{digest}/stop", operation_id = "plugins.stop", tag = "plugins",
    params(("digest" = String, Path, description = "SHA-256 of the component")),
    request_body = StopBody,
    responses((status = 200, description = "Stopped", body = StopView)),
)]
pub(super) async fn stop(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(Digest(digest)): ObjectId<Digest>,
    Input(body): Input<StopBody>,
) -> Answer<Json<StopView>> {
    let setup = api.acting(&caller);
    let stopped = installations::stop(&setup, &digest, &body.reason).await?;
    Ok(Json(StopView {
        digest,
        installations: stopped.installations,
        moved: stopped.moved,
        remaining: stopped.remaining(),
    }))
}
