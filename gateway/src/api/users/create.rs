//! `POST /users`

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{UserView, tagged};
use crate::access::Role;
use crate::access::users::{self, NewUser};

/// A new person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserBody {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 254)]
    email: String,
    role: Role,
}

/// Add a person
#[utoipa::path(
    post, path = "/users", operation_id = "users.create", tag = "users",
    params(TenantParam),
    request_body = NewUserBody,
    responses((status = 201, description = "Added", body = UserView)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    Input(new): Input<NewUserBody>,
) -> Answer<Response> {
    let new = NewUser {
        realm,
        name: new.name,
        email: new.email,
        role: new.role,
    };
    let user = users::create(&api.acting(&caller), new).await?;
    Ok((StatusCode::CREATED, tagged(&user)).into_response())
}
