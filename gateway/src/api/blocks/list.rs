//! `GET /numbers/{number}/blocks`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::problem;
use crate::consent::blocks::{self, Listed};
use crate::domain::{ContactId, NumberId};

/// Somebody on the list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BlockedPerson)]
pub(super) struct BlockedView {
    /// `null`: nobody here is known by that.
    contact: Option<ContactId>,
    phone: Option<String>,
    bsuid: Option<String>,
}

/// Who is blocked on a number
///
/// Meta's own list, asked for now: it has those too who were blocked elsewhere.
#[utoipa::path(
    get, path = "/numbers/{number}/blocks", operation_id = "blocks.list", tag = "consents",
    params(("number" = NumberId, Path), PageParams, TenantParam),
    responses((status = 200, description = "A page", body = Paged<BlockedView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(number): ObjectId<NumberId>,
    page: Page,
) -> Answer<Json<Paged<BlockedView>>> {
    let setup = api.acting(&caller);
    let after = page.after_foreign();
    let (graph, limit) = (
        &api.templates.graph,
        usize::try_from(page.limit).unwrap_or(1),
    );
    let listed = blocks::list(&setup, graph, (tenant, number), after.as_deref(), limit).await;
    let (people, next) = listed.map_err(problem)?;
    Ok(Json(page.of_foreign(people, next, view)))
}

fn view(one: Listed) -> BlockedView {
    BlockedView {
        contact: one.contact,
        phone: one.phone,
        bsuid: one.bsuid,
    }
}
