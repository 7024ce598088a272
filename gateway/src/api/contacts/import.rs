//! `POST /contacts/import`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, ROOT, State};
use crate::contacts;
use crate::domain::JobId;

/// Contacts to be put, one by one, by a job.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportBody {
    /// Each as `POST /contacts` takes it. What cannot be taken is among the job's rejects, with the reason.
    #[schema(min_items = 1, max_items = 10_000, value_type = Vec<Object>)]
    contacts: Vec<Value>,
}

/// The job that does it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportBegun {
    job: JobId,
}

/// Import contacts
#[utoipa::path(
    post, path = "/contacts/import", operation_id = "contacts.import", tag = "contacts",
    params(TenantParam),
    request_body = ImportBody,
    responses((status = 202, description = "A job does it: Location says where to look", body = ImportBegun)),
)]
pub(super) async fn import(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(body): Input<ImportBody>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let job = contacts::import(&setup, tenant, &body.contacts).await?;
    api.wake_jobs(&caller);
    let place = format!("{ROOT}/jobs/{}", job.id);
    let body = Json(ImportBegun { job: job.id });
    Ok((StatusCode::ACCEPTED, [(LOCATION, place)], body).into_response())
}
