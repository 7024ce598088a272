//! `GET /contacts/{contact}/consent_file`

use axum::Json;
use axum::extract::Query;
use axum::response::{Html, IntoResponse, Response};
use http::header::CONTENT_SECURITY_POLICY;
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::consent::file;
use crate::domain::ContactId;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    format: Option<String>,
}

/// A person's whole file
///
/// Who they are here, what stands now, and every record with its evidence and wording: for the person, or a regulator. That
/// it was asked for stands in the audit log.
#[utoipa::path(
    get, path = "/contacts/{contact}/consent_file", operation_id = "consents.export", tag = "consents",
    params(
        ("contact" = ContactId, Path), TenantParam,
        ("format" = Option<String>, Query, description = "`json`, or `html`: a page to read and print"),
    ),
    responses((status = 200, description = "The file", content((Object = "application/json"), (String = "text/html")))),
)]
pub(super) async fn export(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(contact): ObjectId<ContactId>,
    Query(wanted): Query<Wanted>,
) -> Answer<Response> {
    let page = match wanted.format.as_deref() {
        None | Some("json") => false,
        Some("html") => true,
        Some(_) => return Err(Problem::bad_parameter("format", "must be json or html")),
    };
    let file = file::export(&api.acting(&caller), tenant, contact).await?;
    if !page {
        return Ok(Json(file).into_response());
    }
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    Ok((
        [(CONTENT_SECURITY_POLICY, policy)],
        Html(file::page_of(&file)),
    )
        .into_response())
}
