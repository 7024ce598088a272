//! `POST /keys`

use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::moment::Moment;
use super::super::place::{Realm, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use super::{NewKeyView, shown};
use crate::access::keys::{self, NewKey};
use crate::access::{Grant, Role, Scope};
use crate::domain::UserId;

/// A new key: with a role, with scopes, or with the role of its user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKeyBody {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    role: Option<Role>,
    /// Makes it a narrow token that can do nothing else.
    #[schema(min_items = 1, max_items = 20)]
    scopes: Option<Vec<Scope>>,
    /// Whose it is. When they are made inactive it is refused.
    user: Option<UserId>,
    /// Left out: never.
    expires_at: Option<Moment>,
}

/// Make a key
///
/// The answer shows the key's text, once. An operator makes keys of operators, or with `tenant` keys of a tenant.
#[utoipa::path(
    post, path = "/keys", operation_id = "keys.create", tag = "keys",
    params(TenantParam),
    request_body = NewKeyBody,
    responses((status = 201, description = "Made", body = NewKeyView)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    Input(new): Input<NewKeyBody>,
) -> Answer<Response> {
    let grant = match (new.role, new.scopes) {
        (Some(_), Some(_)) => {
            let detail = "must be left out when there is a role";
            return Err(Problem::invalid(vec![FieldProblem::at("/scopes", detail)]));
        }
        (Some(role), None) => Some(Grant::Role(role)),
        (None, Some(scopes)) => Some(Grant::Scopes(scopes)),
        (None, None) => None,
    };
    let new = NewKey {
        realm,
        name: new.name,
        grant,
        user: new.user,
        expires_at: new.expires_at.map(|at| at.0),
    };
    let made = keys::create(&api.acting(&caller), new).await;
    let named = [("user", "/user"), ("the user", "/user")];
    let (key, token) = made.map_err(|error| Problem::of(error, &named))?;
    shown(&key, &token)
}
