//! `GET /numbers/{number}`

use super::super::etag::Tagged;
use super::super::moment::Moment;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{NumberView, tagged};
use crate::domain::NumberId;
use crate::tenants::numbers;

/// One number
///
/// One that was disconnected too: `removed_at` says when.
#[utoipa::path(
    get, path = "/numbers/{number}", operation_id = "numbers.get", tag = "numbers",
    params(("number" = NumberId, Path), TenantParam),
    responses((status = 200, description = "The number, with its ETag", body = NumberView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<NumberId>,
) -> Answer<Tagged<NumberView>> {
    if let Some(former) = numbers::find_former(&api.setup, tenant, id).await? {
        let mut tagged = tagged(&former.number);
        tagged.body.removed_at = Some(Moment(former.removed_at));
        return Ok(tagged);
    }
    Ok(tagged(&numbers::find_one(&api.setup, tenant, id).await?))
}
