//! `GET /contacts`

use axum::Json;
use axum::extract::Query;
use serde::Deserialize;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{ContactView, consents, view};
use crate::contacts;
use crate::domain::Phone;
use crate::storage::contacts::Filter;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    external_id: Option<String>,
    phone: Option<String>,
    name: Option<String>,
}

/// Contacts
///
/// Oldest first.
#[utoipa::path(
    get, path = "/contacts", operation_id = "contacts.list", tag = "contacts",
    params(
        PageParams, TenantParam,
        ("external_id" = Option<String>, Query, description = "Your own key, whole"),
        ("phone" = Option<String>, Query, description = "A phone, whole"),
        ("name" = Option<String>, Query, description = "A part of the name"),
    ),
    responses((status = 200, description = "A page", body = Paged<ContactView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Paged<ContactView>>> {
    let wrong = || Problem::bad_parameter("phone", "must be a phone number with its country code");
    let phone = match wanted.phone.as_deref().unwrap_or("") {
        "" => String::new(),
        text => Phone::parse(text).ok_or_else(wrong)?.digits().to_owned(),
    };
    let filter = Filter {
        external_id: wanted.external_id.unwrap_or_default(),
        phone,
        name: wanted.name.unwrap_or_default(),
    };
    let (after, most) = (page.after(), page.most());
    let rows = contacts::page(&api.setup, tenant, &filter, after, most).await?;
    let said = consents(&api, &rows).await?;
    Ok(Json(page.of(
        rows,
        |row| row.id.raw(),
        |row| view(&row, &said),
    )))
}
