//! `POST /checklist/withdrawals`

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use crate::checklist::{self, Item};

/// Which word is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WithdrawnAttestation)]
pub(super) struct Withdrawn {
    item: Item,
}

/// Take a word for a line of the checklist back
#[utoipa::path(
    post, path = "/checklist/withdrawals", operation_id = "checklist.withdraw", tag = "tenants",
    params(TenantParam),
    request_body = Withdrawn,
    responses((status = 204, description = "Taken back")),
)]
pub(super) async fn withdraw(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(gone): Input<Withdrawn>,
) -> Answer<Response> {
    checklist::withdraw(&api.acting(&caller), tenant, gone.item).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
