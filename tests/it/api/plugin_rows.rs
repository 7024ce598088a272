//! Uploads and installations as rows: enough for whoever looks at them and runs none.

use serde_json::{Value, json};
use vestibule::domain::rollout::{Bounds, Stage};
use vestibule::domain::{InstallationId, TenantId};
use vestibule::storage::components::{self, Component};
use vestibule::storage::installations::{self, Installation};
use vestibule::storage::plugin_versions::{self, Version};

use super::Ground;

/// A component of the plugin `menu`; `fields` are laid over its manifest.
pub(super) async fn upload(ground: &Ground, realm: TenantId, digest: &str, fields: &Value) {
    let setup = ground.setup();
    let now = setup.clock.now();
    let mut manifest =
        json!({"name": "menu", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"]});
    for (name, field) in fields.as_object().expect("fields") {
        manifest[name] = field.clone();
    }
    let component = Component {
        upload: setup.ids.next(now),
        tenant: realm,
        digest: digest.to_owned(),
        manifest: manifest.to_string(),
        bytes: 4,
        uploaded_by: "somebody".to_owned(),
        signed_by: String::new(),
        author: None,
        created_at: now,
    };
    let mut tx = setup.db.begin().await.expect("a transaction");
    components::insert_component(&mut tx, realm, &component, b"wasm")
        .await
        .expect("a row");
    tx.commit().await.expect("a commit");
}

/// An installation of the plugin `menu` with one version.
pub(super) async fn installation(
    ground: &Ground,
    tenant: TenantId,
    (digest, stage): (&str, Stage),
) -> InstallationId {
    let setup = ground.setup();
    let now = setup.clock.now();
    let installation = Installation {
        id: InstallationId::from_raw(setup.ids.next(now)),
        tenant,
        number: None,
        plugin: "menu".to_owned(),
        position: 0,
        paused: false,
        bounds: Bounds::default(),
        generation: 1,
        breaker: None,
        hears_receipts: false,
        created_at: now,
        versions: Vec::new(),
        awaits_successor: false,
    };
    let version = version(ground, 1, digest, stage);
    let mut tx = setup.db.begin().await.expect("a transaction");
    installations::insert(&mut tx, tenant, &installation)
        .await
        .expect("a row");
    plugin_versions::insert(&mut tx, tenant, installation.id, &version)
        .await
        .expect("a row");
    tx.commit().await.expect("a commit");
    installation.id
}

/// One more version of an installation, which waits.
pub(super) async fn another(
    ground: &Ground,
    tenant: TenantId,
    installation: InstallationId,
    (seq, digest): (i64, &str),
) {
    let version = version(ground, seq, digest, Stage::Waiting);
    let mut tx = ground.setup().db.begin().await.expect("a transaction");
    plugin_versions::insert(&mut tx, tenant, installation, &version)
        .await
        .expect("a row");
    tx.commit().await.expect("a commit");
}

/// A version of it with neither settings nor grants.
pub(super) fn version(ground: &Ground, seq: i64, digest: &str, stage: Stage) -> Version {
    let now = ground.setup().clock.now();
    Version {
        seq,
        digest: digest.to_owned(),
        version: format!("{seq}.0.0"),
        config: "{}".to_owned(),
        asked: "[]".to_owned(),
        grants: "[]".to_owned(),
        granted_by: "somebody".to_owned(),
        granted_at: now,
        inherited: "{}".to_owned(),
        withheld: Vec::new(),
        stage,
        percent: 0,
        instead_of: 0,
        good: false,
        reason: String::new(),
        changed_at: now,
        created_at: now,
    }
}
