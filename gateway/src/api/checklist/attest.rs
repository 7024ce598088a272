//! `POST /checklist/attestations`

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::checklist::{self, Item};

/// Your word for a line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAttestation)]
pub(super) struct NewWord {
    item: Item,
    /// What you have seen or done, for those who ask later.
    #[schema(min_length = 1, max_length = 500)]
    note: String,
}

/// Vouch for a line of the checklist
///
/// For what cannot be seen from here. It is kept with who said it and when, and replaces the word before; lines that a setting
/// or a webhook tells take none.
#[utoipa::path(
    post, path = "/checklist/attestations", operation_id = "checklist.attest", tag = "tenants",
    params(TenantParam),
    request_body = NewWord,
    responses((status = 204, description = "Kept")),
)]
pub(super) async fn attest(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<NewWord>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let kept = checklist::attest(&setup, tenant, new.item, &new.note).await;
    let named = [("the line", "/item"), ("the note", "/note")];
    kept.map_err(|error| Problem::of(error, &named))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
