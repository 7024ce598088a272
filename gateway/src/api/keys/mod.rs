//! API keys: the text of one is in the answer that makes it, and nowhere else.

mod create;
mod get;
mod list;
mod revoke;
mod rotate;

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::moment::Moment;
use super::{Answer, Api};
use crate::access::{Grant, Role, Scope, Token, keys, shown_once};
use crate::domain::{ApiKeyId, UserId};
use crate::storage::api_keys::ApiKey;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, revoke::revoke))
        .routes(routes!(rotate::rotate))
}

/// An API key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct KeyView {
    id: ApiKeyId,
    name: String,
    /// `null` for a narrow token, which has scopes.
    role: Option<Role>,
    scopes: Vec<Scope>,
    /// Whose it is.
    user: Option<UserId>,
    created_by: String,
    created_at: Moment,
    /// `null`: never.
    expires_at: Option<Moment>,
    revoked_at: Option<Moment>,
    /// The key that a rotation made in its place.
    replaced_by: Option<ApiKeyId>,
    /// To within ten minutes.
    last_used_at: Option<Moment>,
}

/// A new key, with its text: this is the only time that it is shown.
#[derive(Debug, Serialize, ToSchema)]
struct NewKeyView {
    #[serde(flatten)]
    key: KeyView,
    /// Send it as `Authorization: Bearer …`.
    secret: String,
}

fn view(key: &ApiKey) -> Answer<KeyView> {
    let (role, scopes) = match keys::grant_of(key)? {
        Grant::Role(role) => (Some(role), Vec::new()),
        Grant::Scopes(scopes) => (None, scopes),
    };
    Ok(KeyView {
        id: key.id,
        name: key.name.clone(),
        role,
        scopes,
        user: key.user,
        created_by: key.created_by.clone(),
        created_at: Moment(key.created_at),
        expires_at: key.expires_at.map(Moment),
        revoked_at: key.revoked_at.map(Moment),
        replaced_by: key.replaced_by,
        last_used_at: key.last_used_at.map(Moment),
    })
}

fn shown(key: &ApiKey, token: &Token) -> Answer<Response> {
    let body = NewKeyView {
        key: view(key)?,
        secret: shown_once(token),
    };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
