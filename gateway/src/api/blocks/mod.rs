//! The block list of a number, which is Meta's.

mod block;
mod list;
mod unblock;

use std::sync::Arc;

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
    match error {
        BlockError::Setup(error) => error.into(),
        BlockError::Meta(failed) => failed.into(),
    }
}
