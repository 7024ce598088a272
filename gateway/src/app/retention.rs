//! Keeping tables bounded: partitions made ahead, old rows dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::Retention;
use crate::domain::{Clock, Timestamp};
use crate::replay::words;
use crate::storage::tenants::Tenant;
use crate::storage::{
    Db, Result, business_events, compile_work, components, forget, idempotency, jobs, journals, kv,
    limits, partitions, plugin_events, plugin_health, replay_reports, tenants,
};
use crate::tenants::TenantSettings;

const EVERY: Duration = Duration::from_secs(3600);
/// How far ahead partitions are made: long enough to notice that it stopped working.
const AHEAD: Duration = Duration::from_secs(28 * 86_400);

/// How long what plugins count is kept: a year and a month, to be compared with the year before.
const METRICS: Duration = Duration::from_secs(396 * 86_400);

/// Keeps going until stopped. A round that fails is tried again at the next.
pub(super) async fn keep(
    db: Db,
    clock: Arc<dyn Clock>,
    retention: Retention,
    stop: CancellationToken,
) {
    // The first round is now: a deployment that stood still for weeks lacks the partition of today.
    loop {
        if let Err(error) = round(&db, clock.as_ref(), &retention).await {
            tracing::warn!(error = ?error, "retention did not finish; it goes on in an hour");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn round(db: &Db, clock: &dyn Clock, retention: &Retention) -> Result<()> {
    let now = clock.now();
    partitions::ensure(db, now, AHEAD, retention.events).await?;
    let ages = forget::Ages {
        events: retention.events,
        raw_bodies: retention.raw_bodies,
        journal: retention.journal,
        sends: retention.sends,
    };
    let gone = forget::all_tenants(db, now, ages).await?;
    journals_of_tenants(db, now, retention.journal).await?;
    idempotency::forget_all_tenants(db, now.minus(crate::api::ANSWERS_KEPT)).await?;
    jobs::forget_all_tenants(db, now.minus(retention.jobs)).await?;
    let uploads = components::collect_all_tenants(db, now.minus(retention.uploads)).await?;
    let mut tx = db.begin().await?;
    compile_work::forget_gone_all_tenants(&mut tx).await?;
    plugin_health::forget_loaded_all_tenants(&mut tx).await?;
    tx.commit().await?;
    // Of what was taken out, the counts are as old as the journals that say the same of turns.
    plugin_health::forget_removed_all_tenants(db, now.minus(retention.journal)).await?;
    business_events::forget_all_tenants(db, now.minus(retention.events)).await?;
    plugin_events::forget_metrics_all_tenants(db, now.minus(METRICS)).await?;
    // They are bounded by the day; those of days that are over are of no use.
    let yesterday = plugin_events::day_of(now) - 1;
    plugin_events::forget_names_all_tenants(db, yesterday).await?;
    kv::forget_ended_all_tenants(db, now).await?;
    limits::forget_all_tenants(db, now).await?;
    tracing::info!(
        rows = gone.rows,
        partitions = gone.partitions,
        uploads,
        "retention"
    );
    Ok(())
}

/// Tenants that keep their journals shorter than the operator does.
async fn journals_of_tenants(db: &Db, now: Timestamp, bound: Duration) -> Result<()> {
    let mut tx = db.read().await?;
    let all = tenants::tenants_all_tenants(&mut tx).await?;
    drop(tx);
    let shorter = all
        .iter()
        .filter_map(|tenant| Some((tenant.id, now.minus(own_age(tenant, bound)?))));
    let gone = journals::forget_all_tenants(db, &shorter.collect::<Vec<_>>()).await?;
    tracing::debug!(?gone, "journals of tenants");
    reports_of_tenants(db, now, bound, &all).await
}

fn own_age(tenant: &Tenant, bound: Duration) -> Option<Duration> {
    TenantSettings::read(&tenant.settings).0.journal_age(bound)
}

/// What reports of replays say of turns is as old as the journal at most. They go with their jobs too.
async fn reports_of_tenants(
    db: &Db,
    now: Timestamp,
    bound: Duration,
    all: &[Tenant],
) -> Result<()> {
    let mut tx = db.read().await?;
    let with_words = replay_reports::with_words_all_tenants(&mut tx).await?;
    drop(tx);
    for id in with_words {
        let tenant = all.iter().find(|tenant| tenant.id == id);
        let age = tenant.and_then(|tenant| own_age(tenant, bound));
        let gone = words::forget(db, id, now.minus(age.unwrap_or(bound))).await?;
        tracing::debug!(tenant = %id, gone, "reports of replays");
    }
    Ok(())
}
