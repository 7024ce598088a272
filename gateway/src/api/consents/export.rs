//! `GET /contacts/{contact}/consent_file`

use axum::body::Body;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::consent::file::{Format, Place, part};
use crate::domain::ContactId;
use crate::tenants::SetupError;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    format: Option<String>,
}

/// A person's whole file
///
/// Who they are here, what stands now, every record with its evidence and wording, and every message in both directions as
/// far back as retention keeps them: for the person, or a regulator. That it was asked for stands in the audit log. It is
/// sent as it is read, however long it is: one that breaks off is not whole.
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
    let format = match wanted.format.as_deref() {
        None | Some("json") => Format::Json,
        Some("html") => Format::Html,
        Some(_) => return Err(Problem::bad_parameter("format", "must be json or html")),
    };
    let (setup, whose) = (api.acting(&caller), (tenant, contact));
    // The first part is asked for here: whoever is not there is answered so.
    let (first, next) = part(&setup, whose, format, Place::Head).await?;
    let rest = stream::try_unfold((setup, next), move |(setup, next)| async move {
        let Some(place) = next else {
            return Ok::<_, SetupError>(None);
        };
        let (text, next) = part(&setup, whose, format, place).await?;
        Ok(Some((text, (setup, next))))
    });
    let parts = stream::once(async { Ok(first) }).chain(rest);
    let kind = match format {
        Format::Json => "application/json",
        Format::Html => "text/html; charset=utf-8",
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let headers = [(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, Body::from_stream(parts)).into_response())
}
