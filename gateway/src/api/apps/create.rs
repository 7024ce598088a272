//! `POST /apps`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::problem::Problem;
use super::super::secret::Secret;
use super::super::{Answer, State};
use super::{AppView, view};
use crate::tenants::apps;

/// A new app.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAppBody {
    /// Meta's id of it.
    #[schema(min_length = 1, max_length = 32)]
    meta_app_id: String,
    /// What people call it. Left out: Meta's id.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// What Meta repeats when the callback URL is saved.
    verify_token: Secret,
    /// The app secret that signs webhooks; several while Meta's is being reset.
    #[schema(min_items = 1, max_items = 5)]
    secrets: Vec<Secret>,
    /// Answers at the callback URL without an app id too. The first app does in any case.
    #[serde(default)]
    default: bool,
}

/// Add a Meta app
#[utoipa::path(
    post, path = "/apps", operation_id = "apps.create", tag = "apps",
    request_body = NewAppBody,
    responses((status = 201, description = "Added", body = AppView)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    Input(new): Input<NewAppBody>,
) -> Answer<Response> {
    let new = apps::NewApp {
        name: new.name.unwrap_or_else(|| new.meta_app_id.clone()),
        meta_app_id: new.meta_app_id,
        verify_token: new.verify_token.0,
        secrets: new.secrets.into_iter().map(|secret| secret.0).collect(),
        is_default: new.default,
    };
    let added = apps::add(&api.acting(&caller), &new).await;
    let app = added.map_err(|error| Problem::of(error, &[("the app secret", "/secrets")]))?;
    Ok((StatusCode::CREATED, Json(view(&app))).into_response())
}
