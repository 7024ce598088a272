//! `POST /apps/{app}/secrets`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::ObjectId;
use super::super::secret::Secret;
use super::super::{Answer, State};
use crate::domain::AppId;
use crate::tenants::apps;

/// Another secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSecret {
    secret: Secret,
    /// Webhooks signed with an older secret are refused from now on.
    #[serde(default)]
    retire_older: bool,
}

/// What adding a secret did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecretAdded {
    /// Older secrets that count no longer.
    retired: u64,
}

/// Add a secret to an app
///
/// As when Meta's is being reset: until older ones are retired, webhooks signed with any of them are taken.
#[utoipa::path(
    post, path = "/apps/{app}/secrets", operation_id = "apps.add_secret", tag = "apps",
    params(("app" = AppId, Path)),
    request_body = NewSecret,
    responses((status = 200, description = "Added", body = SecretAdded)),
)]
pub(super) async fn add_secret(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(id): ObjectId<AppId>,
    Input(new): Input<NewSecret>,
) -> Answer<Json<SecretAdded>> {
    let setup = api.acting(&caller);
    let retired =
        apps::add_secret(&setup, &id.to_string(), &new.secret.0, new.retire_older).await?;
    Ok(Json(SecretAdded { retired }))
}
