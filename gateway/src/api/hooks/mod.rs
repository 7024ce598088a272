//! Hooks: endpoints of the tenant's own systems that follow its events. `docs/hooks.md` says what they get.

mod create;
mod dead_letters;
mod delete;
mod get;
mod list;
mod replay;
mod revive;
mod rotate;
mod update;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::etag::Tagged;
use super::moment::Moment;
use super::problem::{FieldProblem, Problem};
use super::{Answer, Api};
use crate::domain::{HookId, StreamKind, Timestamp};
use crate::hooks::revision_of;
use crate::storage::hooks::Hook;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(replay::replay))
        .routes(routes!(dead_letters::dead_letters))
        .routes(routes!(revive::revive))
        .routes(routes!(rotate::rotate))
}

/// An endpoint that follows events, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hook)]
struct HookView {
    id: HookId,
    url: String,
    /// Types of events; empty: all.
    types: Vec<String>,
    enabled: bool,
    /// Every event up to this number was delivered, is tried again, or is a dead letter.
    position: i64,
    /// Failed requests since the last that went well.
    failures: i64,
    /// It fails every time: nothing is sent before.
    paused_until: Option<Moment>,
    last_error: Option<String>,
    created_at: Moment,
    /// Until then requests are signed with the secret before too.
    old_secret_until: Option<Moment>,
}

fn view(hook: &Hook) -> HookView {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    HookView {
        id: hook.id,
        url: hook.url.clone(),
        types: hook
            .kinds
            .iter()
            .map(|kind| kind.word().to_owned())
            .collect(),
        enabled: hook.enabled,
        position: hook.position,
        failures: hook.failures,
        paused_until: (hook.next_try_at > Timestamp::ZERO).then_some(Moment(hook.next_try_at)),
        last_error: some(&hook.last_error),
        created_at: Moment(hook.created_at),
        old_secret_until: (hook.old_secret_until > Timestamp::ZERO)
            .then_some(Moment(hook.old_secret_until)),
    }
}

fn tagged(hook: &Hook) -> Tagged<HookView> {
    Tagged {
        revision: revision_of(hook),
        body: view(hook),
    }
}

/// Every word that is no type, at its place.
fn kinds(words: &[String]) -> Answer<Vec<StreamKind>> {
    let mut problems = Vec::new();
    let mut kinds = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match StreamKind::from_word(word) {
            Some(kind) => kinds.push(kind),
            None => problems.push(FieldProblem::at(
                format!("/types/{index}"),
                "is no type of event that is known here",
            )),
        }
    }
    match problems.is_empty() {
        true => Ok(kinds),
        false => Err(Problem::invalid(problems)),
    }
}
