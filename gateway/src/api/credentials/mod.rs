//! Access tokens for Graph: written, replaced, never shown.

mod create;
mod delete;
mod get;
mod list;
mod replace_token;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::domain::CredentialId;
use crate::storage::credentials::Credential;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, delete::delete))
        .routes(routes!(replace_token::replace_token))
}

/// An access token's name, without the token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credential)]
struct CredentialView {
    id: CredentialId,
    name: String,
    created_at: Moment,
}

fn view(credential: &Credential) -> CredentialView {
    CredentialView {
        id: credential.id,
        name: credential.name.clone(),
        created_at: Moment(credential.created_at),
    }
}
