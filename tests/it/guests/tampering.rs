//! What somebody changed behind the gateway's back. Machine code, in the database or in a node's files: it is never loaded.
//! Changed in the database the turn falls back, the neighbour with the same component does not notice, and the node lives;
//! changed in a file the database is asked, and nobody notices. Manifests: what runs has its own. And components whose bytes
//! were changed: they are never compiled.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vestibule::clock::SystemClock;
use vestibule::domain::InstallationId;
use vestibule_tests::process::said;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, settle, until};

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
    // The first tenant before the other: what was loaded for one may run for all (`pipeline/components.rs`).
    everybody_writes(&town, database).await;
    node.end().await;
    let first = database.texts(
        "SELECT draft FROM outbox WHERE tenant = (SELECT MIN(tenant) FROM artifact) ORDER BY id",
    );
    let second = database.texts(
        "SELECT draft FROM outbox WHERE tenant = (SELECT MAX(tenant) FROM artifact) ORDER BY id",
    );
    [first.await, second.await]
}

/// Customers of all numbers write, one tenant's after the other's.
async fn everybody_writes(town: &Town, database: &TestDatabase) {
    let db = database.open().await;
    let business = &town.business;
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

/// The files in which a node keeps machine code. What is being written has no such name yet.
fn artifact_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        match path.is_dir() {
            true => files.extend(artifact_files(&path)),
            false if path.to_string_lossy().contains("/new-") => {}
            false => files.push(path),
        }
    }
    files
}

/// What somebody does to a file of machine code.
type Alteration = (&'static str, fn(Vec<u8>) -> Vec<u8>);

const ALTERATIONS: [Alteration; 4] = [
    ("its last bit is another", |mut bytes| {
        *bytes.last_mut().expect("bytes") ^= 1;
        bytes
    }),
    ("it is cut", |mut bytes| {
        bytes.truncate(5_000);
        bytes
    }),
    ("it is empty", |_| Vec::new()),
    ("no compiler of ours wrote it", |_| guests::ECHO.to_vec()),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_altered_on_disk_is_never_loaded_and_the_database_answers() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        everybody_writes(&town, &database).await;
        node.end().await;
        let folder = town.deployment.data_dir("node").join("artifacts");
        // Written behind the turn's back.
        let file = until("the node keeps a file", async || {
            artifact_files(&folder).into_iter().next()
        });
        let file = file.await;
        let authentic = fs::read(&file).expect("the node's file");
        for (n, (what, alter)) in ALTERATIONS.iter().enumerate() {
            fs::write(&file, alter(authentic.clone())).expect("altered");
            let node = town.node("node").await;
            everybody_writes(&town, &database).await;
            node.end().await;
            let drafts = database.texts("SELECT draft FROM outbox ORDER BY id").await;
            let echoed = drafts.iter().filter(|d| d.contains("marco polo")).count();
            // Four numbers, before the first alteration and after each.
            let expected = 4 * (n + 2);
            assert_eq!((drafts.len(), echoed), (expected, expected), "{what}");
            let repaired = || fs::read(&file).is_ok_and(|now| now == authentic);
            until("the file is written anew", async || {
                repaired().then_some(())
            })
            .await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_was_altered_is_not_what_runs() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        // Believed, it would be for a contract that nobody has, and ask for people instead of memory.
        database
            .execute(
                r#"UPDATE component SET manifest =
                    replace(replace(manifest, '"abi":"0.', '"abi":"9.'), '"kv"', '"contacts"')"#,
            )
            .await;
        let altered = r#"SELECT COUNT(*) FROM component
            WHERE manifest LIKE '%"abi":"9.%' AND manifest LIKE '%"contacts"%'"#;
        assert!(database.count(altered).await > 0);
        let node = town.node("node").await;
        everybody_writes(&town, &database).await;
        node.end().await;
        let drafts = database.texts("SELECT draft FROM outbox ORDER BY id").await;
        let echoed = drafts.iter().filter(|d| d.contains("marco polo")).count();
        assert_eq!((drafts.len(), echoed), (4, 4), "{drafts:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_component_under_the_digest_of_an_upload_is_not_compiled() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        // A good plugin, which answers what `echo` would not.
        let other = town.deployment.data_dir("other").with_extension("wasm");
        std::fs::write(&other, guests::COUNTER).expect("the component is written");
        let (other, tenant) = (other.display().to_string(), &town.business.tenants[0]);
        let push = ["plugin", "push", &other, "--tenant", tenant];
        town.deployment.run("node", &push, &[]).await;
        database
            .execute(
                "UPDATE component_wasm SET wasm = (SELECT w.wasm FROM component_wasm w
                    WHERE w.digest NOT IN (SELECT digest FROM installation_version))
                 WHERE digest IN (SELECT digest FROM installation_version)",
            )
            .await;
        database
            .execute("DELETE FROM artifact WHERE digest IN (SELECT digest FROM installation_version)")
            .await;
        let mut node = town.deployment.start("node").await;
        let url = node.webhook_url();
        town.meta.set_webhook(&url, None).expect("a URL");
        let number = &town.business.numbers[0].phone_number_id;
        let customer = town.meta.customer(number, "4915112345678").expect("a customer");
        customer.text("menu").expect("sent");
        town.meta.webhooks_idle().await;
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
        let outcomes = database.texts("SELECT outcome FROM turn").await;
        assert_eq!(outcomes, ["fallback"]);
        let sealed = "SELECT COUNT(*) FROM artifact WHERE digest IN (SELECT digest FROM installation_version)";
        assert_eq!(database.count(sealed).await, 0, "nothing was sealed");
        let problems = database.texts("SELECT problem FROM compile_work").await;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("changed in the database"), "{problems:?}");
        assert!(node.logs().contains("changed in the database"));

        // Neither is it replayed.
        let of_first = "SELECT CAST(id AS TEXT) FROM installation ORDER BY id LIMIT 1";
        let id: i64 = database.texts(of_first).await[0].parse().expect("a number");
        let installation = InstallationId::from_raw(id).to_string();
        let mut replay = town.deployment.command("node");
        replay.args(["plugin", "replay", "--tenant", tenant, "--since", "1h"]);
        replay.args(["--installation", &installation, "--candidate", &other]);
        let refused = said(replay).await.expect_err("nothing to replay");
        assert!(refused.contains("changed in the database"), "{refused}");
        node.terminate().await;
    })
    .await;
}
