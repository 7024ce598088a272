//! The tenant's events: told by its own systems; in pages, and as a stream of server-sent events that goes on where it was cut.

mod list;
mod stream;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::moment::Moment;
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::{StreamKind, TenantId};
use crate::events::{Sealed, Shown};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, tell::tell))
        .routes(routes!(stream::stream))
}

/// What open streams live on.
#[derive(Debug)]
pub struct Streams {
    sealed: Sealed,
    /// They end when the node begins to.
    stop: CancellationToken,
    room: Arc<Semaphore>,
    heartbeat: Duration,
}

impl Streams {
    /// At most so many are open at once, and each that is silent for `heartbeat` says that it is there.
    pub fn new(sealed: Sealed, stop: CancellationToken, most: usize, heartbeat: Duration) -> Self {
        Self {
            sealed,
            stop,
            room: Arc::new(Semaphore::new(most)),
            heartbeat,
        }
    }
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
struct EventView {
    /// Its number in the tenant's stream: 1, 2, 3 …
    seq: i64,
    #[serde(rename = "type")]
    kind: String,
    timestamp: Moment,
    tenant: TenantId,
    /// Which conversation it is, what it is about, and Meta's `field` and `value` where Meta has a shape for it.
    #[schema(value_type = Object)]
    data: Value,
}

fn view(shown: Shown) -> EventView {
    EventView {
        seq: shown.seq,
        kind: shown.kind.word().to_owned(),
        timestamp: Moment(shown.timestamp),
        tenant: shown.tenant,
        data: shown.data,
    }
}

/// Which events are asked for.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    after: Option<String>,
    types: Option<String>,
    limit: Option<String>,
}

impl Wanted {
    fn kinds(&self) -> Answer<Vec<StreamKind>> {
        let words = self.types.iter().flat_map(|types| types.split(','));
        let words = words.map(str::trim).filter(|word| !word.is_empty());
        let wrong = |word: &str| Problem::bad_parameter("types", format!("knows no `{word}`"));
        words
            .map(|word| StreamKind::from_word(word).ok_or_else(|| wrong(word)))
            .collect()
    }

    fn after(&self) -> Answer<Option<i64>> {
        number("after", self.after.as_deref())
    }
}

fn number(parameter: &'static str, text: Option<&str>) -> Answer<Option<i64>> {
    let wrong = || Problem::bad_parameter(parameter, "must be the number of an event, or 0");
    let read = |text: &str| {
        text.trim()
            .parse()
            .ok()
            .filter(|n: &i64| *n >= 0)
            .ok_or_else(wrong)
    };
    text.map(read).transpose()
}

/// Whoever follows has missed something: only they know what to do about it.
fn gone(first: i64) -> Problem {
    Problem::new(
        http::StatusCode::GONE,
        "events_gone",
        format!(
            "events before {first} are past retention: read the objects anew and go on after {}",
            first - 1
        ),
    )
}
