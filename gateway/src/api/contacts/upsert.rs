//! `POST /contacts`

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{ContactBody, ContactView, problem, tagged};
use crate::contacts::{self, Upserted};

/// Put a contact
///
/// Found by your key, else by its phone, else made. What is left out of an existing one stays.
#[utoipa::path(
    post, path = "/contacts", operation_id = "contacts.upsert", tag = "contacts",
    params(TenantParam),
    request_body = ContactBody,
    responses(
        (status = 200, description = "It was known, and is changed", body = ContactView),
        (status = 201, description = "It was made", body = ContactView),
    ),
)]
pub(super) async fn upsert(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(body): Input<ContactBody>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let put = contacts::upsert(&setup, tenant, &body.into_new()).await;
    let Upserted {
        contact,
        made,
        consents,
    } = put.map_err(problem)?;
    let status = if made {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, tagged(&contact, &consents)).into_response())
}
