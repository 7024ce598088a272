//! When accounts are read: as soon as a number of theirs is connected, once in a while, and what is in doubt at once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::sync::{begin, begin_names, bucket_of};
use crate::directory::Directory;
use crate::domain::{TenantId, Timestamp};
use crate::jobs::Wake;
use crate::ownership::Owned;
use crate::storage::buckets::fence;
use crate::storage::{template_accounts, templates};
use crate::tenants::{SetupContext, SetupError};

/// How often it is looked at what is due.
const LOOK: Duration = Duration::from_secs(1);
/// Accounts that are first kept in one transaction.
const ACCOUNTS: usize = 64;
/// Names that are looked at again by one job.
const NAMES: i64 = 200;

/// Begins syncs, on the node that owns an account's bucket.
#[derive(Debug)]
pub struct Schedule {
    pub setup: SetupContext,
    pub directory: Arc<Directory>,
    pub owned: Owned,
    pub wake: Wake,
    /// Between two whole syncs of an account.
    pub every: Duration,
}

impl Schedule {
    /// Runs until stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut kept = HashSet::new();
        while !stop.is_cancelled() {
            match self.round(&mut kept).await {
                Ok(true) => self.wake.now(),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "template syncs could not be looked at; it is tried again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Answers whether there is something to do.
    async fn round(&self, kept: &mut HashSet<(TenantId, String)>) -> Result<bool, SetupError> {
        self.keep_new(kept).await?;
        let buckets = self.owned.borrow().buckets();
        let now = self.setup.clock.now();
        let mut tx = self.setup.db.read().await?;
        let due = template_accounts::due_all_tenants(&mut tx, &buckets, now).await?;
        let stale = templates::stale_all_tenants(&mut tx, NAMES).await?;
        drop(tx);
        let mut worked = false;
        for (tenant, account) in due {
            let next = self.next(&account, now);
            if self.is_connected(tenant, &account) {
                begin(&self.setup, tenant, &account, next).await?;
                worked = true;
            } else {
                let mut tx = self.setup.db.begin().await?;
                template_accounts::put_off(&mut tx, tenant, &account, next).await?;
                tx.commit().await?;
            }
        }
        let mut names: BTreeMap<(TenantId, String), Vec<String>> = BTreeMap::new();
        for (tenant, account, name) in stale {
            names.entry((tenant, account)).or_default().push(name);
        }
        for ((tenant, account), names) in names {
            if !buckets.contains(&bucket_of(tenant, &account)) {
                continue;
            }
            if self.is_connected(tenant, &account) {
                begin_names(&self.setup, tenant, &account, names).await?;
                worked = true;
            } else {
                let mut tx = self.setup.db.begin().await?;
                for name in &names {
                    templates::mark_fresh(&mut tx, tenant, &account, name).await?;
                }
                tx.commit().await?;
            }
        }
        Ok(worked)
    }

    /// Accounts that a number was connected of since they were last looked at.
    async fn keep_new(&self, kept: &mut HashSet<(TenantId, String)>) -> Result<(), SetupError> {
        let (snapshot, owned) = (self.directory.snapshot(), self.owned.borrow().clone());
        let new: Vec<(TenantId, String)> = snapshot
            .accounts()
            .filter(|(tenant, account)| owned.owns(bucket_of(*tenant, account)))
            .map(|(tenant, account)| (tenant, account.to_owned()))
            .filter(|account| !kept.contains(account) && self.is_connected(account.0, &account.1))
            .collect();
        for some in new.chunks(ACCOUNTS) {
            let buckets = some
                .iter()
                .map(|(tenant, account)| bucket_of(*tenant, account));
            let Some(leases) = owned.leases_of(buckets) else {
                continue;
            };
            let mut tx = self.setup.db.begin().await?;
            fence(&mut tx, &leases).await?;
            for (tenant, account) in some {
                let bucket = bucket_of(*tenant, account);
                let now = self.setup.clock.now();
                template_accounts::keep(&mut tx, *tenant, account, bucket, now).await?;
            }
            tx.commit().await?;
            kept.extend(some.iter().cloned());
        }
        Ok(())
    }

    fn is_connected(&self, tenant: TenantId, account: &str) -> bool {
        let snapshot = self.directory.snapshot();
        let entry = snapshot.account(tenant, account);
        entry.is_some_and(|entry| entry.token.is_some())
    }

    /// Spread over a twentieth of the time, so that accounts connected together are not read together for ever.
    fn next(&self, account: &str, now: Timestamp) -> Timestamp {
        let spread = account.bytes().fold(0_u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        let share = f64::from(spread % 1_000) / 20_000.0;
        now.plus(self.every).plus(self.every.mul_f64(share))
    }
}
