//! People: who a key belongs to, or who an agent is. They have no password.

mod create;
mod get;
mod list;
mod update;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::etag::Tagged;
use super::moment::Moment;
use crate::access::{Role, users};
use crate::domain::UserId;
use crate::storage::users::User;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update))
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
struct UserView {
    id: UserId,
    name: String,
    /// `""`: unknown.
    email: String,
    role: Option<Role>,
    /// Keys of a person who is not active are refused.
    active: bool,
    created_at: Moment,
}

fn view(user: &User) -> UserView {
    UserView {
        id: user.id,
        name: user.name.clone(),
        email: user.email.clone(),
        role: Role::read(&user.role),
        active: user.active,
        created_at: Moment(user.created_at),
    }
}

fn tagged(user: &User) -> Tagged<UserView> {
    Tagged {
        revision: users::revision_of(user),
        body: view(user),
    }
}
