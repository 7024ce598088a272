//! `GET /account-facts`

use axum::Json;
use axum::extract::Query;
use serde::Deserialize;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{FactView, view};
use crate::storage::account_facts::{self, FactKind, Filter, Standing};

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    account: Option<String>,
    of: Option<String>,
    name: Option<String>,
}

/// What Meta says of your accounts
///
/// The latest of every fact, by account and subject: bans and restrictions, limits and throughput, reviews, quality, the
/// state and category of templates, the health of flows. How it came to be: `/account-events`.
#[utoipa::path(
    get, path = "/account-facts", operation_id = "account_facts.list", tag = "numbers",
    params(
        PageParams, TenantParam,
        ("account" = Option<String>, Query, description = "Of one WhatsApp account"),
        ("of" = Option<String>, Query, description = "`account`, `number`, `template` or `flow`"),
        ("name" = Option<String>, Query, description = "Of one of them: Meta's id, or the template's name"),
    ),
    responses((status = 200, description = "A page", body = Paged<FactView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Paged<FactView>>> {
    let filter = Filter {
        account: wanted.account.unwrap_or_default(),
        kind: kind(wanted.of.as_deref())?,
        name: wanted.name.unwrap_or_default(),
    };
    let mut tx = api.setup.db.read().await?;
    let (after, most) = (page.after_key(), page.most());
    let rows = account_facts::standing(&mut tx, tenant, &filter, &after, most).await?;
    Ok(Json(page.of_keyed(rows, Standing::place, view)))
}

fn kind(of: Option<&str>) -> Answer<i64> {
    let Some(of) = of else {
        return Ok(0);
    };
    let kind = FactKind::ALL.into_iter().find(|kind| kind.word() == of);
    let wrong = || Problem::bad_parameter("of", "must be account, number, template or flow");
    kind.map(|kind| kind as i64).ok_or_else(wrong)
}
