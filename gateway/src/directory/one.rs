//! One number as the directory knows it, read by itself: for whoever works without a node.

use std::sync::Arc;

use super::snapshot::{NumberEntry, TenantEntry};
use crate::consent;
use crate::domain::{NumberId, TenantId, Timestamp};
use crate::storage::{Db, Tx, holds, ingest_life, numbers, tenants};
use crate::templates::Registry;
use crate::tenants::TenantSettings;
use crate::tenants::setup::holds_on;

/// Longer than anybody's list of holds in force.
const HOLDS: i64 = 10_000;

impl NumberEntry {
    /// As it stands in the database, without its access token and installations; of templates only their states. `None`: the
    /// tenant has no such number.
    pub async fn read(
        db: &Db,
        tx: &mut Tx,
        tenant: TenantId,
        number: NumberId,
        now: Timestamp,
    ) -> crate::storage::Result<Option<Self>> {
        let number = numbers::number(tx, tenant, number).await?;
        let (Some(number), Some(row)) = (number, tenants::tenant(tx, tenant).await?) else {
            return Ok(None);
        };
        let (settings, _) = TenantSettings::read(&row.settings);
        let account = number.waba_id.as_str();
        let templates = Registry::of_account(db.clone(), tx, tenant, account).await?;
        let held = holds::holds_of(tx, tenant, now, 0, HOLDS).await?;
        Ok(Some(Self {
            holds: holds_on(&held, &number),
            number: Arc::new(number),
            tenant: Arc::new(TenantEntry {
                id: row.id,
                name: row.name,
                words: settings.word_book(),
                limits: Arc::new(settings.limits.rules()),
                settings,
                topics: consent::tell::topics(tx, tenant).await?,
                contact_kinds: Arc::default(),
            }),
            token: None,
            installations: Vec::new(),
            templates: Arc::new(templates),
            ingest_gap_until: ingest_life::gap_until_all_tenants(tx).await?,
        }))
    }
}
