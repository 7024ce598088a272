//! Machine code that somebody changed in the database: it is never loaded. The turn falls back, the neighbour with the same
//! component does not notice, and the node lives.

use std::sync::Arc;

use vestibule::clock::SystemClock;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, settle};

/// Changes the first tenant's artifacts in this way and has both tenants' customers say hello: the replies of each.
async fn replies_after(database: &TestDatabase, change: &'static str) -> [Vec<String>; 2] {
    // What the second component leaves behind is another artifact of the same tenant, key and engine.
    let mut town = Town::with_plugin(database, guests::TRAP, &[]).await;
    // The other tenant has the same component: kept on disk for one, its machine code would be read by both.
    town.deployment = town.deployment.with("plugins.artifact_files_bytes", "0");
    let file = town.deployment.data_dir("echo").with_extension("wasm");
    std::fs::write(&file, guests::ECHO).expect("the component is written");
    let (business, deployment) = (&town.business, &town.deployment);
    business.install(deployment, "node", &file, &[]).await;
    database.execute(change).await;
    let node = deployment
        .start_in_process("node", Arc::new(SystemClock))
        .await;
    let url = node.webhook_url();
    town.meta.set_webhook(&url, None).expect("a URL");
    let db = database.open().await;
    // The first tenant before the other: what was loaded for one may run for all (`pipeline/components.rs`).
    for tenant in 0..business.tenants.len() {
        for number in business.numbers.iter().filter(|one| one.tenant == tenant) {
            let customer = town.meta.customer(&number.phone_number_id, "4915112345678");
            customer
                .expect("a customer")
                .text("marco polo")
                .expect("sent");
        }
        town.meta.webhooks_idle().await;
        settle(&db).await;
    }
    db.close().await;
    node.end().await;
    let first = database.texts(
        "SELECT draft FROM outbox WHERE tenant = (SELECT MIN(tenant) FROM artifact) ORDER BY id",
    );
    let second = database.texts(
        "SELECT draft FROM outbox WHERE tenant = (SELECT MAX(tenant) FROM artifact) ORDER BY id",
    );
    [first.await, second.await]
}

async fn is_not_loaded(change: &'static str) {
    for_each_database(async |database| {
        let [first, second] = replies_after(&database, change).await;
        let echoed = |drafts: &[String]| drafts.iter().filter(|d| d.contains("marco polo")).count();
        // Both have two numbers.
        assert_eq!((first.len(), echoed(&first)), (2, 0), "{first:?}");
        assert_eq!((second.len(), echoed(&second)), (2, 2), "{second:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_of_another_component_of_the_tenant_is_not_loaded() {
    is_not_loaded(
        "UPDATE artifact SET sealed = (SELECT other.sealed FROM artifact other
            WHERE other.tenant = artifact.tenant AND other.digest <> artifact.digest)
         WHERE tenant = (SELECT MIN(tenant) FROM component)
            AND digest = (SELECT latest.digest FROM artifact latest
                WHERE latest.tenant = artifact.tenant ORDER BY latest.created_at DESC LIMIT 1)",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_was_cut_is_not_loaded() {
    is_not_loaded(
        "UPDATE artifact SET sealed = substr(sealed, 1, 5000)
         WHERE tenant = (SELECT MIN(tenant) FROM artifact)",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_no_compiler_of_ours_wrote_are_not_loaded() {
    is_not_loaded(
        "UPDATE artifact SET sealed = (SELECT upload.wasm FROM component_wasm upload
            WHERE upload.tenant = artifact.tenant AND upload.digest = artifact.digest)
         WHERE tenant = (SELECT MIN(tenant) FROM artifact)",
    )
    .await;
}
