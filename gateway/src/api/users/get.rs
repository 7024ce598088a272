//! `GET /users/{user}`

use super::super::etag::Tagged;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{UserView, tagged};
use crate::access::users;
use crate::domain::UserId;

/// One person
#[utoipa::path(
    get, path = "/users/{user}", operation_id = "users.get", tag = "users",
    params(("user" = UserId, Path), TenantParam),
    responses((status = 200, description = "The person, with their ETag", body = UserView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<UserId>,
) -> Answer<Tagged<UserView>> {
    Ok(tagged(&users::find(&api.setup, realm, id).await?))
}
