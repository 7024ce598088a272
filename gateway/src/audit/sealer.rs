//! The sealer: gives new entries of every ledger their places in their tenants' chains, within two seconds.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::chain::{self, ChainKey, Link};
use crate::domain::TenantId;
use crate::storage::audit::{self, Ledger, SealHead};
use crate::storage::{Db, Result};

/// Leaves more than a second of the two for the work itself.
const EVERY: Duration = Duration::from_millis(500);
/// Entries sealed in one transaction: one statement, and about a millisecond of the writer.
const STEP: i64 = 64;
/// Between two full steps, so that an import of a million leaves the writer to others. More than it can record meanwhile
/// is sealed beside it all the same.
const PAUSE: Duration = Duration::from_millis(3);

/// Seals until stopped, once more at the end. Several nodes may: they wait for each other on the chain's head.
pub async fn keep_sealing(db: Db, key: ChainKey, stop: CancellationToken) {
    loop {
        let stopping = stop.is_cancelled();
        if let Err(error) = seal_all(&db, &key).await {
            tracing::warn!(%error, "entries of a ledger could not be sealed; it is tried again");
        }
        if stopping {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Seals everything that is not. Answers how many entries that was.
pub async fn seal_all(db: &Db, key: &ChainKey) -> Result<u64> {
    let mut sealed = 0;
    for ledger in Ledger::ALL {
        let mut tx = db.glance().await?;
        let tenants = audit::tenants_to_seal_all_tenants(&mut tx, ledger).await?;
        drop(tx);
        for tenant in tenants {
            loop {
                let step = seal_some(db, key, ledger, tenant).await?;
                sealed += step;
                if step < STEP.unsigned_abs() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(sealed)
}

async fn seal_some(db: &Db, key: &ChainKey, ledger: Ledger, tenant: TenantId) -> Result<u64> {
    let mut tx = db.begin().await?;
    let name = ledger.name();
    let SealHead { mut seq, mut mac } = audit::head_for_update(&mut tx, tenant, name).await?;
    // After the lock: what another sealer has sealed meanwhile is not among them.
    let entries = audit::unsealed(&mut tx, tenant, ledger, STEP).await?;
    let mut sealed = Vec::with_capacity(entries.len());
    for (row, commitment) in &entries {
        seq += 1;
        let link = Link {
            seq,
            row: *row,
            commitment,
        };
        mac = chain::seal(key, name, tenant.raw(), &mac, link);
        sealed.push((*row, seq, mac.clone()));
    }
    audit::seal(&mut tx, tenant, ledger, &sealed).await?;
    audit::set_head(&mut tx, tenant, name, &SealHead { seq, mac }).await?;
    tx.commit().await?;
    Ok(entries.len() as u64)
}
