//! Taking things away: apps, credentials, numbers, tenants. What others stand on is refused, with what is left, so that
//! nothing goes which nobody named.
//!
//! Changes of setup wait for each other on the row that counts them: what was free when it was looked at stays free.

use serde_json::json;

use super::erasure::EraseJob;
use super::{Result, SetupContext, SetupError, find};
use crate::audit::OPERATOR;
use crate::domain::{CredentialId, NumberId, OutboxState, TenantId};
use crate::jobs;
use crate::storage::jobs::Job;
use crate::storage::outbox::{self, Move};
use crate::storage::{
    self, Tx, api_keys, apps, changes, credentials, former_numbers, holds, numbers, secrets,
    standing, tenants,
};

/// Takes an app away, which is named by Meta's id, our id or its name. Its webhooks are refused from then on.
pub async fn app(setup: &SetupContext, name: &str) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    let app = find::app(&mut tx, Some(name)).await?;
    let used = standing::numbers_of_app_all_tenants(&mut tx, app.id).await?;
    SetupError::unless_free("app", &app.meta_app_id, &[(used, "numbers")])?;
    apps::delete_app_all_tenants(&mut tx, app.id).await?;
    let was = json!({"meta_app_id": app.meta_app_id, "name": app.name, "default": app.is_default});
    setup
        .record(&mut tx, OPERATOR, "app.delete", app.id, Some(was), None)
        .await?;
    setup.commit(tx).await
}

/// Takes a tenant's access token away. Holds on it end with it.
pub async fn credential(setup: &SetupContext, tenant: TenantId, id: CredentialId) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    let found = credentials::credential(&mut tx, tenant, id).await?;
    let found = found.ok_or_else(|| SetupError::not_found("credential", &id.to_string()))?;
    let used = standing::numbers_of_credential(&mut tx, tenant, id).await?;
    SetupError::unless_free("credential", &found.name, &[(used, "numbers")])?;
    credentials::delete_credential(&mut tx, tenant, id).await?;
    let lifted = holds::lift_of_credential(&mut tx, tenant, id, setup.clock.now()).await?;
    let was = Some(json!({"name": found.name}));
    let became = Some(json!({"holds_lifted": lifted}));
    setup
        .record(&mut tx, tenant, "credential.delete", id, was, became)
        .await?;
    setup.commit(tx).await
}

/// The same for one that is named by name or id, as its tenant is.
pub async fn named_credential(setup: &SetupContext, tenant: &str, name: &str) -> Result<()> {
    let mut tx = setup.db.read().await?;
    let tenant = find::tenant(&mut tx, tenant).await?;
    let id = find::credential(&mut tx, tenant, name).await?;
    drop(tx);
    credential(setup, tenant, id).await
}

/// Disconnects a number: nothing that comes for it is attached any more, and what waited for a turn has none. It is
/// refused while sends of it are under way; with `cancel_queued` those that are only queued are withdrawn first. Its
/// history stays, and when it is connected again for the same tenant it is the same number.
pub async fn number(
    setup: &SetupContext,
    tenant: TenantId,
    id: NumberId,
    cancel_queued: bool,
) -> Result<()> {
    while cancel_queued && cancel(setup, tenant, id).await? {}
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    former_numbers::lock_conversations(&mut tx, tenant, id).await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    let found = numbers::number(&mut tx, tenant, id).await?;
    let found = found.ok_or_else(|| SetupError::not_found("number", &id.to_string()))?;
    SetupError::unless_free("number", id, &left_of_number(&mut tx, tenant, id).await?)?;
    former_numbers::remove(&mut tx, tenant, id, now).await?;
    former_numbers::end_turns(&mut tx, tenant, id).await?;
    let lifted = holds::lift_of_number(&mut tx, tenant, id, now).await?;
    let (was, became) = (Some(json!(found)), Some(json!({"holds_lifted": lifted})));
    setup
        .record(&mut tx, tenant, "number.delete", id, was, became)
        .await?;
    setup.commit(tx).await
}

/// The same for one that is named by our id, Meta's or as it is displayed.
pub async fn named_number(
    setup: &SetupContext,
    tenant: &str,
    name: &str,
    cancel_queued: bool,
) -> Result<()> {
    let mut tx = setup.db.read().await?;
    let tenant = find::tenant(&mut tx, tenant).await?;
    let id = find::number(&mut tx, tenant, name).await?.id;
    drop(tx);
    number(setup, tenant, id, cancel_queued).await
}

async fn left_of_number(
    tx: &mut Tx,
    tenant: TenantId,
    id: NumberId,
) -> Result<[(i64, &'static str); 4]> {
    let sends = outbox::open_of_number(tx, tenant, id).await?;
    let in_state = |state| {
        let found = sends.iter().find(|(of, _)| *of == state);
        found.map_or(0, |(_, count)| *count)
    };
    let plugins = standing::plugins_of_number(tx, tenant, id).await?;
    Ok([
        (
            in_state(OutboxState::Queued) + in_state(OutboxState::Deferred),
            "queued sends",
        ),
        (in_state(OutboxState::Claimed), "sends on their way to Meta"),
        (
            in_state(OutboxState::Unknown),
            "sends in doubt, which are settled within minutes",
        ),
        (plugins, "plugins of its own"),
    ])
}

/// Sends withdrawn in one transaction: some milliseconds of the writer.
const STEP: usize = 500;

/// Withdraws some of what is queued. Answers whether there may be more.
async fn cancel(setup: &SetupContext, tenant: TenantId, id: NumberId) -> Result<bool> {
    let mut tx = setup.db.begin().await?;
    if numbers::number(&mut tx, tenant, id).await?.is_none() {
        return Ok(false);
    }
    let rows = outbox::queued_of_number(&mut tx, tenant, id, STEP).await?;
    let moves: Vec<Move> = rows
        .iter()
        .map(|row| Move {
            reason: "number_removed".to_owned(),
            ..Move::of(row, OutboxState::Cancelled)
        })
        .collect();
    let moved = outbox::move_all_tenants(&mut tx, &moves, setup.clock.now()).await?;
    if !moved.is_empty() {
        let became = Some(json!({"cancelled": moved.len()}));
        setup
            .record(&mut tx, tenant, "number.cancel_queued", id, None, became)
            .await?;
    }
    tx.commit().await?;
    Ok(rows.len() == STEP)
}

/// Removes a tenant, which is named by name or id: its keys are refused from then on, and a job forgets its people.
pub async fn tenant(setup: &SetupContext, name: &str) -> Result<Job> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let id = find::tenant(&mut tx, name).await?;
    // Locked before the row that counts changes of setup, as by those who add something to it.
    tenants::keep_free(&mut tx, id).await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    let found = tenants::tenant(&mut tx, id).await?;
    let found = found.ok_or_else(|| SetupError::not_found("tenant", name))?;
    SetupError::unless_free("tenant", &found.name, &left_of_tenant(&mut tx, id).await?)?;
    tenants::delete_tenant(&mut tx, id).await?;
    api_keys::revoke_keys(&mut tx, id, now).await?;
    secrets::delete_all(&mut tx, id).await?;
    let was = Some(json!({"name": found.name}));
    // Its own log can be read by nobody from now on: it is told in the operator's.
    setup
        .record(&mut tx, OPERATOR, "tenant.delete", id, was, None)
        .await?;
    let params = EraseJob::params(id);
    let job = jobs::queue(setup, &mut tx, OPERATOR, EraseJob::NAME, &params, None).await?;
    setup.commit(tx).await?;
    Ok(job)
}

async fn left_of_tenant(tx: &mut Tx, id: TenantId) -> Result<[(i64, &'static str); 5]> {
    let left = standing::of_tenant(tx, id).await?;
    let open = storage::jobs::open_jobs(tx, id).await?;
    Ok([
        (left.numbers, "numbers"),
        (left.credentials, "credentials"),
        (left.plugins, "plugins"),
        (left.hooks, "hooks"),
        (open, "jobs that are not over"),
    ])
}
