//! The block list of a number, which is Meta's.

mod block;
mod list;
mod unblock;

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::problem::Problem;
use crate::consent::blocks::{BlockError, Standing};
use crate::domain::{ContactId, NumberId};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, block::block))
        .routes(routes!(unblock::unblock))
}

/// Somebody and a number, after a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BlockStanding)]
struct StandingView {
    /// Who speaks for the contact: another one, if they turned out to be the same person.
    contact: ContactId,
    number: NumberId,
    /// Nothing goes to them by this number, and nothing comes.
    is_blocked: bool,
}

fn view(standing: Standing) -> StandingView {
    StandingView {
        contact: standing.contact,
        number: standing.number,
        is_blocked: standing.is_blocked,
    }
}

fn problem(error: BlockError) -> Problem {
    let (status, code) = match error {
        BlockError::Setup(error) => return error.into(),
        BlockError::Refused { .. } => (StatusCode::BAD_GATEWAY, "meta_refused"),
        BlockError::Unreached(_) => (StatusCode::BAD_GATEWAY, "meta_failed"),
        BlockError::Doubt(_) => (StatusCode::GATEWAY_TIMEOUT, "meta_unclear"),
    };
    Problem::new(status, code, error.to_string())
}
