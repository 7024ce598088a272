//! `PATCH /users/{user}`

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::etag::{IfMatch, Tagged};
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{UserView, tagged};
use crate::access::Role;
use crate::access::users::{self, UserChange};
use crate::domain::UserId;

/// What is to be changed of a person; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChangeBody {
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Keys that were made before keep the role that they have.
    role: Option<Role>,
    /// `false`: their keys are refused from now on.
    active: Option<bool>,
}

/// Change a person
#[utoipa::path(
    patch, path = "/users/{user}", operation_id = "users.update", tag = "users",
    params(("user" = UserId, Path), TenantParam,
        ("If-Match" = String, Header, description = "The ETag that was read, or `*`")),
    request_body = UserChangeBody,
    responses((status = 200, description = "Changed", body = UserView)),
)]
pub(super) async fn update(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<UserId>,
    IfMatch(expected): IfMatch,
    Input(change): Input<UserChangeBody>,
) -> Answer<Tagged<UserView>> {
    let change = UserChange {
        name: change.name,
        email: change.email,
        role: change.role,
        active: change.active,
    };
    let setup = api.acting(&caller);
    let user = users::update(&setup, realm, id, change, &expected).await?;
    Ok(tagged(&user))
}
