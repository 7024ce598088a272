//! `POST /plugin-keys`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::{Answer, State};
use super::{KeyView, view};
use crate::tenants::plugin_keys;

/// A key to believe.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPluginKey {
    /// What signatures call it.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Ed25519: 32 bytes in base64.
    #[schema(max_length = 64)]
    public_key: String,
}

/// Register a key that signs uploads
#[utoipa::path(
    post, path = "/plugin-keys", operation_id = "plugin_keys.add", tag = "plugins",
    request_body = NewPluginKey,
    responses((status = 201, description = "Believed from now on", body = KeyView)),
)]
pub(super) async fn add(
    axum::extract::State(api): State,
    caller: Caller,
    Input(new): Input<NewPluginKey>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let key = plugin_keys::add(&setup, &new.name, &new.public_key).await?;
    Ok((StatusCode::CREATED, Json(view(&key))).into_response())
}
