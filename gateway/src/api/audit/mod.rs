//! The audit log: who changed what, from where. Sealed; `verify` looks whether it still is what was sealed.

mod get;
mod list;
mod verify;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::domain::AuditId;
use crate::storage::audit::AuditEntry;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .routes(routes!(verify::verify))
}

/// Who did it, and from where.
#[derive(Debug, Serialize, ToSchema)]
struct ActorView {
    /// `key`, `command_line` or `gateway`.
    kind: String,
    /// The key's id; the user of the machine.
    id: String,
    name: String,
    /// IP address; `""` when it did not come over the network.
    address: String,
    user_agent: String,
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct EntryView {
    id: AuditId,
    at: Moment,
    actor: ActorView,
    /// The kind of thing and the verb, like `number.update`.
    action: String,
    /// The id of what was changed.
    object: String,
    /// What it was; `null` when it did not exist. Secrets are never in it.
    #[schema(value_type = Object)]
    before: Value,
    /// What it became; `null` when it ceased to exist.
    #[schema(value_type = Object)]
    after: Value,
    /// What it said went with a person who was erased; the chain holds all the same.
    erased: bool,
    /// Its place in the sealed chain; `null` for the first two seconds.
    seal: Option<i64>,
}

fn view(entry: &AuditEntry) -> EntryView {
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    EntryView {
        id: entry.id,
        at: Moment(entry.at),
        actor: ActorView {
            kind: entry.actor_kind.clone(),
            id: entry.actor.clone(),
            name: entry.actor_name.clone(),
            address: entry.address.clone(),
            user_agent: entry.agent.clone(),
        },
        action: entry.action.clone(),
        object: entry.object.clone(),
        before: json(&entry.was),
        after: json(&entry.became),
        erased: entry.erased_by.is_some(),
        seal: (entry.seq != 0).then_some(entry.seq),
    }
}
