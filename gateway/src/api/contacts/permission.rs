//! `GET /contacts/{contact}/permission`

use axum::Json;
use axum::extract::Query;
use serde::Deserialize;

use super::super::permission::{PermissionView, view};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::desk::DeskError;
use crate::domain::{ContactId, NumberId};
use crate::storage::contacts;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    number: Option<String>,
}

/// What a number may send to a contact now
///
/// They need never have written to each other. `number` may be left out by who has one only.
#[utoipa::path(
    get, path = "/contacts/{contact}/permission", operation_id = "contacts.permission", tag = "contacts",
    params(("contact" = ContactId, Path), TenantParam, 
        ("number" = Option<NumberId>, Query, description = "By which number")),
    responses((status = 200, description = "What may be sent", body = PermissionView)),
)]
pub(super) async fn permission(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ContactId>,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<PermissionView>> {
    let snapshot = api.desk.directory.snapshot();
    let own = snapshot
        .numbers()
        .filter(|entry| entry.number.tenant == tenant);
    let own: Vec<NumberId> = own.map(|entry| entry.number.id).collect();
    let number = match (&wanted.number, own.as_slice()) {
        (None, [only]) => *only,
        (None, _) => {
            let mut tx = api.setup.db.read().await?;
            let known = contacts::find(&mut tx, tenant, id).await?;
            return Err(match known {
                Some(_) => Problem::bad_parameter("number", "must say by which number"),
                None => Problem::no_such("contact", &id.to_string()),
            });
        }
        (Some(name), own) => {
            let named = own.iter().find(|own| own.to_string() == *name);
            *named.ok_or_else(|| Problem::no_such("number", name))?
        }
    };
    let found = api.desk.permission_between(tenant, number, id).await;
    let found = found.map_err(|error| match error {
        DeskError::NotFound => Problem::no_such("contact", &id.to_string()),
        DeskError::Storage(error) => error.into(),
        error => Problem::new(http::StatusCode::CONFLICT, "cannot_send", error.to_string()),
    })?;
    Ok(Json(view(&found)))
}
