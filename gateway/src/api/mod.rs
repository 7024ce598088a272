//! The management API under `/api/v1`: everything that can be set up, seen and undone, for programs and the console.
//!
//! One resource is one folder, one verb one file: its docs (from which the OpenAPI document is made), its handler. What
//! every request goes through is beside them: [`guard`] (who is it, may they, how often), [`idempotency`], then the
//! handler with its extractors ([`input`], [`page`], [`place`], [`etag`]). Errors are [`problem::Problem`]s. Rules live
//! in the services, which the command line calls too; nothing here decides what a name may look like.

mod account_events;
mod account_facts;
mod apps;
mod audit;
mod blocks;
mod browse;
mod check;
mod checklist;
mod consents;
mod contacts;
mod conversations;
mod credentials;
pub mod document;
mod etag;
mod events;
mod explain;
mod guard;
mod health;
mod holds;
mod hooks;
mod idempotency;
mod input;
mod installations;
mod jobs;
mod keys;
mod long_body;
mod me;
mod media;
mod messages;
mod moment;
mod numbers;
mod page;
mod permission;
pub mod permissions;
mod place;
mod plugin_keys;
mod plugins;
pub mod problem;
mod rate;
mod roles;
mod room;
mod secret;
mod secrets;
mod templates;
mod tenants;
mod usage;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;

use crate::access::{Principal, Role};
use crate::desk::Desk;
use crate::hooks::Endpoints;
use crate::jobs::{Traffic, Wake};
use crate::lifecycle::Health;
use crate::occasions::Occasions;
use crate::plugin_host::Compiler;
use crate::templates::Changes;
use crate::tenants::{Giver, SetupContext};

pub use events::Streams;
pub use idempotency::{Claims, KEPT as ANSWERS_KEPT};
pub use long_body::LongBody;
pub use media::Media;
pub use rate::Rates;
pub use room::UploadRoom;

use guard::Caller;
use problem::Problem;

/// Below this every resource lies.
pub const ROOT: &str = "/api/v1";

/// What the API works with.
#[derive(Debug)]
pub struct Api {
    pub setup: SetupContext,
    pub compiler: Arc<Compiler>,
    pub health: Health,
    pub jobs: Wake,
    /// What long lists yield to.
    pub traffic: Traffic,
    pub rates: Rates,
    pub claims: Claims,
    pub max_body: usize,
    pub desk: Desk,
    pub endpoints: Endpoints,
    pub occasions: Occasions,
    pub streams: events::Streams,
    pub media: Media,
    pub uploads: UploadRoom,
    pub templates: Changes,
    /// Between two whole syncs of an account.
    pub templates_every: Duration,
    /// The header in which a proxy says who asks; `None`: whoever is connected.
    pub address_header: Option<String>,
}

type State = axum::extract::State<Arc<Api>>;
type Answer<T> = Result<T, Problem>;

impl Api {
    /// The services, acting for whoever asks.
    fn acting(&self, caller: &Caller) -> SetupContext {
        SetupContext {
            giver: giver(&caller.principal),
            ending: caller.ending.clone(),
            ..self.setup.acting(caller.actor.clone())
        }
    }

    /// Tells the runner of jobs what the caller did, once it is committed.
    fn wake_jobs(&self, caller: &Caller) {
        let jobs = self.jobs.clone();
        caller.ending.then(move || jobs.now());
    }
}

/// For whom a key speaks; what is not known speaks for as little as there is.
fn giver(principal: &Principal) -> Giver {
    match principal.role() {
        Some(Role::Operator) => Giver::Operator,
        Some(Role::TenantAdmin | Role::Developer) => Giver::Tenant,
        _ => Giver::Author,
    }
}

/// Every resource.
fn resources() -> OpenApiRouter<Arc<Api>> {
    let all = OpenApiRouter::new()
        .merge(account_events::routes())
        .merge(account_facts::routes())
        .merge(apps::routes())
        .merge(audit::routes())
        .merge(blocks::routes())
        .merge(consents::routes())
        .merge(checklist::routes())
        .merge(contacts::routes())
        .merge(conversations::routes())
        .merge(credentials::routes())
        .merge(secrets::routes())
        .merge(events::routes())
        .merge(explain::routes())
        .merge(health::routes())
        .merge(holds::routes())
        .merge(hooks::routes())
        .merge(installations::routes())
        .merge(jobs::routes())
        .merge(keys::routes())
        .merge(me::routes())
        .merge(media::routes())
        .merge(messages::routes())
        .merge(numbers::routes())
        .merge(plugin_keys::routes())
        .merge(plugins::routes())
        .merge(roles::routes())
        .merge(templates::routes())
        .merge(tenants::routes())
        .merge(usage::routes())
        .merge(users::routes());
    OpenApiRouter::new().nest(ROOT, all)
}

/// The API as it is served.
pub fn routes(api: Arc<Api>) -> Router {
    let (router, _) = resources().split_for_parts();
    router
        .layer(from_fn_with_state(api.clone(), idempotency::remember))
        .layer(from_fn_with_state(api.clone(), guard::admit))
        .merge(browse::routes())
        .route(&format!("{ROOT}/{{*unknown}}"), axum::routing::any(unknown))
        .method_not_allowed_fallback(wrong_method)
        .with_state(api)
}

async fn unknown() -> Problem {
    Problem::not_found("there is no such resource")
}

async fn wrong_method() -> Problem {
    Problem::new(
        http::StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the resource has no such verb",
    )
}
