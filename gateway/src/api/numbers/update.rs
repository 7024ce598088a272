//! `PATCH /numbers/{number}`

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::etag::{IfMatch, Tagged};
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{NumberView, tagged};
use crate::domain::{CredentialId, NumberId};
use crate::tenants::numbers::{self, NumberChange};

/// What is to be changed of a number; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberChangeBody {
    credential: Option<CredentialId>,
    #[schema(max_length = 40)]
    display_number: Option<String>,
    #[schema(max_length = 64)]
    time_zone: Option<String>,
    #[schema(minimum = 1, maximum = 1000)]
    throughput: Option<i64>,
}

/// Change a number
#[utoipa::path(
    patch, path = "/numbers/{number}", operation_id = "numbers.update", tag = "numbers",
    params(("number" = NumberId, Path), TenantParam,
        ("If-Match" = String, Header, description = "The ETag that was read, or `*`")),
    request_body = NumberChangeBody,
    responses((status = 200, description = "Changed", body = NumberView)),
)]
pub(super) async fn update(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<NumberId>,
    IfMatch(expected): IfMatch,
    Input(change): Input<NumberChangeBody>,
) -> Answer<Tagged<NumberView>> {
    let change = NumberChange {
        credential: change.credential.map(|credential| credential.to_string()),
        display_number: change.display_number,
        time_zone: change.time_zone,
        throughput: change.throughput,
    };
    let setup = api.acting(&caller);
    let changed = numbers::update(&setup, tenant, id, change, &expected).await;
    let named = [("credential", "/credential")];
    Ok(tagged(
        &changed.map_err(|error| Problem::of(error, &named))?,
    ))
}
