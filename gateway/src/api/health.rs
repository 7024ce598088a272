//! `GET /health`, `GET /status`: is this node fit for work, and what does the deployment have and do.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, Api, State};
use crate::lifecycle::Need;
use crate::storage::{counts, migrate, nodes};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(status))
}

/// How this node is.
#[derive(Debug, Serialize, ToSchema)]
struct HealthView {
    ready: bool,
    /// It is being stopped.
    draining: bool,
    /// What it needs and does not have.
    lacking: Vec<&'static str>,
    version: &'static str,
}

/// How this node is
#[utoipa::path(
    get, path = "/health", operation_id = "health.get", tag = "health",
    responses((status = 200, description = "How it is, ready or not", body = HealthView)),
)]
async fn health(axum::extract::State(api): State) -> Json<HealthView> {
    let readiness = api.health.readiness();
    let word = |need: &Need| match need {
        Need::Database => "database",
        Need::Leases => "leases",
        Need::Setup => "setup",
    };
    Json(HealthView {
        ready: readiness.ready,
        draining: readiness.draining,
        lacking: readiness.lacking.iter().map(word).collect(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// What the deployment has, and what waits.
#[derive(Debug, Serialize, ToSchema)]
struct StatusView {
    database: &'static str,
    /// Nodes that live.
    nodes: usize,
    migrations_pending: usize,
    /// How many there are of each, and what waits.
    counts: BTreeMap<String, i64>,
}

/// What there is, and what waits
#[utoipa::path(
    get, path = "/status", operation_id = "status.get", tag = "health",
    responses((status = 200, description = "Counts", body = StatusView)),
)]
async fn status(axum::extract::State(api): State) -> Answer<Json<StatusView>> {
    let db = &api.setup.db;
    let migrations_pending = migrate::pending(db).await?;
    let mut tx = db.read().await?;
    let live = nodes::live_slots(&mut tx).await?;
    let counted = counts::counts_all_tenants(&mut tx).await?;
    Ok(Json(StatusView {
        database: if db.is_sqlite() {
            "sqlite"
        } else {
            "postgresql"
        },
        nodes: live.iter().filter(|slot| slot.is_node()).count(),
        migrations_pending,
        counts: counted
            .into_iter()
            .map(|(name, count)| (name.replace(' ', "_"), count))
            .collect(),
    }))
}
