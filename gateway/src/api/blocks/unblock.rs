//! `POST /numbers/{number}/unblock`

use axum::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{StandingView, problem, view};
use crate::consent::blocks;
use crate::domain::{ContactId, NumberId};

/// Who is to be unblocked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndOfBlock {
    contact: ContactId,
}

/// Unblock somebody on a number
///
/// At Meta, and here. What the person had agreed to and stopped holds as before. It may be asked for twice.
#[utoipa::path(
    post, path = "/numbers/{number}/unblock", operation_id = "blocks.unblock", tag = "consents",
    params(("number" = NumberId, Path), TenantParam),
    request_body = EndOfBlock,
    responses((status = 200, description = "Unblocked", body = StandingView)),
)]
pub(super) async fn unblock(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(number): ObjectId<NumberId>,
    Input(end): Input<EndOfBlock>,
) -> Answer<Json<StandingView>> {
    let (setup, graph) = (api.acting(&caller), &api.templates.graph);
    let standing = blocks::unblock(&setup, graph, (tenant, number, end.contact)).await;
    Ok(Json(view(standing.map_err(problem)?)))
}
