//! Holds: stops on sending. A tenant sees every hold that bears on it, and lifts those that it has placed itself.

mod get;
mod lift;
mod list;
mod place;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::domain::{CredentialId, HoldId, NumberId, TenantId};
use crate::storage::holds::{Held, Hold};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, place::place))
        .routes(routes!(get::get, lift::lift))
}

/// By which a hold of the tenant's own is told from one of the operator's or the gateway's.
const OF_TENANT: &str = "tenant: ";

/// What a hold stops.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "scope", rename_all = "snake_case", deny_unknown_fields)]
enum HeldView {
    /// Every send of the deployment: the operator's to place.
    All,
    /// Every send of the tenant.
    Tenant,
    /// Every send of a number.
    Number { number: NumberId },
    /// What a plugin wants to send; the plugin goes on running.
    Plugin { plugin: String },
    /// A template in one language: placed by the gateway when Meta pauses it.
    Template {
        name: String,
        language: String,
        /// The WhatsApp account whose template it is; `null`: of every account of the tenant.
        #[serde(default)]
        account: Option<String>,
    },
    /// Every template of a number: placed by the gateway when Meta stops them.
    NumberTemplates { number: NumberId },
    /// Every answer of a number, and nothing that the business begins: placed by the gateway when Meta restricts it.
    NumberReplies { number: NumberId },
    /// Marketing of a number: placed by the gateway when its quality drops, always with an end.
    NumberMarketing { number: NumberId },
    /// Every template of the tenant; replies without one go on.
    AllTemplates,
    /// Every send with a credential.
    Credential { credential: CredentialId },
}

/// A hold in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
struct HoldView {
    id: HoldId,
    /// `null` for one on everything.
    tenant: Option<TenantId>,
    held: HeldView,
    reason: String,
    placed_by: String,
    placed_at: Moment,
    /// `null`: until somebody lifts it.
    until: Option<Moment>,
}

fn view(hold: &Hold) -> HoldView {
    let (tenant, held) = match &hold.held {
        Held::All => (None, HeldView::All),
        Held::Tenant(tenant) => (Some(*tenant), HeldView::Tenant),
        Held::Number(tenant, number) => (Some(*tenant), HeldView::Number { number: *number }),
        Held::Plugin(tenant, name) => {
            let plugin = name.clone();
            (Some(*tenant), HeldView::Plugin { plugin })
        }
        Held::Template(tenant, template) => {
            let held = HeldView::Template {
                name: template.name.clone(),
                language: template.language.clone(),
                account: Some(template.account.clone()).filter(|account| !account.is_empty()),
            };
            (Some(*tenant), held)
        }
        Held::NumberReplies(tenant, number) => {
            let number = *number;
            (Some(*tenant), HeldView::NumberReplies { number })
        }
        Held::NumberMarketing(tenant, number) => {
            let number = *number;
            (Some(*tenant), HeldView::NumberMarketing { number })
        }
        Held::NumberTemplates(tenant, number) => {
            let number = *number;
            (Some(*tenant), HeldView::NumberTemplates { number })
        }
        Held::Templates(tenant) => (Some(*tenant), HeldView::AllTemplates),
        Held::Credential(tenant, credential) => {
            let credential = *credential;
            (Some(*tenant), HeldView::Credential { credential })
        }
    };
    HoldView {
        id: hold.id,
        tenant,
        held,
        reason: hold.reason.clone(),
        placed_by: hold.placed_by.clone(),
        placed_at: Moment(hold.placed_at),
        until: hold.until.map(Moment),
    }
}
