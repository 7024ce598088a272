//! What Meta says of accounts, numbers, templates and flows, as it stands today.

mod list;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::domain::Timestamp;
use crate::storage::account_facts::{FactKind, Standing};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list::list))
}

/// One thing that Meta said and has not said otherwise since.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountFact)]
struct FactView {
    /// The WhatsApp account; a portfolio where Meta names that.
    account: String,
    /// `account`, `number`, `template` or `flow`.
    of: String,
    /// Meta's id of the number or flow, the template's name; `null` for the account.
    name: Option<String>,
    /// Of the template.
    language: Option<String>,
    /// Such as `ban`, `messaging_limit`, `status`, `quality`, `category`; `docs/webhooks.md` has them.
    fact: String,
    /// Meta's word, or JSON.
    value: String,
    /// Meta's time.
    at: Moment,
}

fn view(row: Standing) -> FactView {
    let some = |text: String| (!text.is_empty()).then_some(text);
    let kind = FactKind::ALL
        .into_iter()
        .find(|kind| *kind as i64 == row.kind);
    FactView {
        account: row.account,
        of: kind.map_or("unknown", FactKind::word).to_owned(),
        name: some(row.name),
        language: some(row.language),
        fact: row.fact,
        value: row.value,
        at: Moment(Timestamp::from_millis(row.at)),
    }
}
