//! `PATCH /contacts/{contact}`

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::etag::{IfMatch, Tagged};
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{ContactView, problem, shown};
use crate::contacts::{self, NewContact};
use crate::domain::ContactId;

/// What is to be changed of a contact; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactChange {
    #[schema(max_length = 200)]
    external_id: Option<String>,
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Of defined attributes; `null` takes one out.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
}

/// Change a contact
#[utoipa::path(
    patch, path = "/contacts/{contact}", operation_id = "contacts.update", tag = "contacts",
    params(("contact" = ContactId, Path), TenantParam, ("If-Match" = String, Header, description = "The ETag that was read, or `*`")),
    request_body = ContactChange,
    responses((status = 200, description = "Changed", body = ContactView)),
)]
pub(super) async fn update(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ContactId>,
    IfMatch(expected): IfMatch,
    Input(change): Input<ContactChange>,
) -> Answer<Tagged<ContactView>> {
    let change = NewContact {
        external_id: change.external_id,
        phone: None,
        name: change.name,
        attributes: change.attributes,
    };
    let setup = api.acting(&caller);
    let contact = contacts::update(&setup, tenant, id, &expected, &change).await;
    shown(&api, &contact.map_err(problem)?).await
}
