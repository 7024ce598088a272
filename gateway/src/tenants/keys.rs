//! Rotating the sealing key: a new key, then every envelope under it.

use serde_json::json;

use super::{Result, SetupContext};
use crate::audit::OPERATOR;
use crate::secrets::{KeyId, Place};
use crate::storage::envelopes::{self, StoredEnvelope};

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    pub newest: KeyId,
    pub rewrapped: u64,
}

/// Adds a key to the key file, then wraps every envelope under it, in one transaction.
///
/// A crash in between leaves envelopes under the old key, which opens them still; running it again ends it.
pub async fn rotate(setup: &SetupContext) -> Result<Rotated> {
    setup.keyring.rotate()?;
    rewrap(setup).await
}

/// Wraps under the newest key whatever is not: all there is to do when keys come from the configuration.
pub async fn rewrap(setup: &SetupContext) -> Result<Rotated> {
    let mut rewrapped = 0;
    let mut tx = setup.db.begin().await?;
    for envelope in envelopes::envelopes_all_tenants(&mut tx).await? {
        if setup.keyring.needs_rewrap(&envelope.bytes) {
            let place = place(&envelope);
            let secret = setup.keyring.open(place, &envelope.bytes)?;
            let bytes = setup.keyring.seal(place, &secret)?;
            let done = envelopes::replace_envelope_all_tenants(&mut tx, &envelope, &bytes).await?;
            rewrapped += u64::from(done);
        }
    }
    let newest = setup.keyring.newest();
    let became = Some(json!({"newest": newest.0, "rewrapped": rewrapped}));
    setup
        .record(&mut tx, OPERATOR, "keys.rewrap", newest, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(Rotated { newest, rewrapped })
}

/// Opens every envelope and answers how many there are. An error names the first that does not open.
pub async fn verify(setup: &SetupContext) -> Result<usize> {
    let mut tx = setup.db.read().await?;
    let all = envelopes::envelopes_all_tenants(&mut tx).await?;
    for envelope in &all {
        setup.keyring.open(place(envelope), &envelope.bytes)?;
    }
    Ok(all.len())
}

fn place(envelope: &StoredEnvelope) -> Place {
    Place {
        table: envelope.table,
        column: envelope.column,
        tenant: envelope.tenant,
        row: envelope.row,
    }
}
