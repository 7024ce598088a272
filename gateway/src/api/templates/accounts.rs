//! `GET /template-accounts`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::moment::Moment;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use crate::domain::JobId;
use crate::storage::template_accounts;

/// An account whose templates are kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateAccountView {
    account: String,
    /// When all of them were read last. `null`: never; until then Meta judges what is sent.
    synced_at: Option<Moment>,
    /// When they are read next.
    due_at: Moment,
    /// The last sync that was begun.
    job: Option<JobId>,
}

/// The accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateAccounts {
    items: Vec<TemplateAccountView>,
}

/// Accounts whose templates are kept
#[utoipa::path(
    get, path = "/template-accounts", operation_id = "templates.accounts", tag = "templates",
    params(TenantParam),
    responses((status = 200, description = "All of them", body = TemplateAccounts)),
)]
pub(super) async fn accounts(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
) -> Answer<Json<TemplateAccounts>> {
    let mut tx = api.setup.db.read().await?;
    let all = template_accounts::all(&mut tx, tenant).await?;
    let items = all.into_iter().map(|row| TemplateAccountView {
        account: row.account,
        synced_at: row.synced_at.map(Moment),
        due_at: Moment(row.due_at),
        job: row.job,
    });
    let items = items.collect();
    Ok(Json(TemplateAccounts { items }))
}
