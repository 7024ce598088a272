//! The bytes of a component that ran, or is to run: what the database keeps under a digest is believed when it is of that
//! digest.

use crate::domain::TenantId;
use crate::plugin_host::ComponentDigest;
use crate::storage::{Tx, replays};
use crate::sync::blocking;
use crate::tenants::SetupError;

/// None: it is not kept any more.
pub(super) async fn component(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
) -> Result<Option<Vec<u8>>, SetupError> {
    let Some(wasm) = replays::wasm(tx, tenant, digest).await? else {
        return Ok(None);
    };
    let (found, wasm) = blocking(move || (ComponentDigest::of(&wasm), wasm)).await;
    if found.to_string() == digest {
        return Ok(Some(wasm));
    }
    tracing::error!(%tenant, digest, %found, "the stored bytes of a component were changed");
    Err(SetupError::state(format!(
        "the bytes that are stored under {digest} are not those that it is of: they were changed in the database"
    )))
}
