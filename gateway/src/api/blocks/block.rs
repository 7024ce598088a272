//! `POST /numbers/{number}/blocks`

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

/// Who is to be blocked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBlock {
    contact: ContactId,
    /// Why, for those who ask later: it stands in the person's records.
    #[serde(default)]
    #[schema(max_length = 500)]
    note: String,
}

/// Block somebody on a number
///
/// At Meta, and here: nothing that waits goes to them any more, whoever sends it, and every later message is refused as
/// `blocked`. Meta takes only who wrote to the number within 24 hours, and 64,000 of them. The ledger has a record of it.
/// It may be asked for twice.
#[utoipa::path(
    post, path = "/numbers/{number}/blocks", operation_id = "blocks.block", tag = "consents",
    params(("number" = NumberId, Path), TenantParam),
    request_body = NewBlock,
    responses((status = 200, description = "Blocked", body = StandingView)),
)]
pub(super) async fn block(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(number): ObjectId<NumberId>,
    Input(new): Input<NewBlock>,
) -> Answer<Json<StandingView>> {
    let (setup, graph) = (api.acting(&caller), &api.templates.graph);
    let whose = (tenant, number, new.contact);
    let standing = blocks::block(&setup, graph, whose, &new.note).await;
    Ok(Json(view(standing.map_err(problem)?)))
}
