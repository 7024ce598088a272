//! What people vouch for, and take back. Both stand in the audit log.

use serde_json::json;

use super::{Item, Result};
use crate::domain::TenantId;
use crate::storage::attestations::{self, Attestation};
use crate::tenants::{SetupContext, SetupError, check_text, keep_tenant};

/// Keeps somebody's word for a line; it replaces the one before.
pub async fn attest(setup: &SetupContext, tenant: TenantId, item: Item, note: &str) -> Result<()> {
    if !item.takes_a_word() {
        let problem = format!("{} is seen, not attested", item.word());
        return Err(SetupError::invalid("the line", problem));
    }
    check_text("the note", note, 500)?;
    let mut tx = setup.db.begin().await?;
    keep_tenant(&mut tx, tenant).await?;
    let word = Attestation {
        item: item.word().to_owned(),
        by: setup.by.label(),
        note: note.to_owned(),
        at: setup.clock.now(),
    };
    attestations::put(&mut tx, tenant, &word).await?;
    let became = Some(json!({"note": note}));
    setup
        .record(
            &mut tx,
            tenant,
            "checklist.attest",
            item.word(),
            None,
            became,
        )
        .await?;
    setup.commit(tx).await
}

/// Takes it back.
pub async fn withdraw(setup: &SetupContext, tenant: TenantId, item: Item) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    if !attestations::remove(&mut tx, tenant, item.word()).await? {
        return Err(SetupError::not_found("attestation", item.word()));
    }
    setup
        .record(
            &mut tx,
            tenant,
            "checklist.withdraw",
            item.word(),
            None,
            None,
        )
        .await?;
    setup.commit(tx).await
}
