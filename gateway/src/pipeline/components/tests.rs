//! A node's components over a real database, with a budget that does not hold all of them.

use super::*;
use crate::domain::time::ManualClock;
use crate::domain::{InstallationId, Timestamp};
use crate::plugin_host::testing::{host, idle_plugin};
use crate::plugin_host::{Grants, Limits, Manifest, PluginBinding, StoredSetup};
use crate::storage::components::Component;
use crate::storage::{OpenOptions, migrate, open};

/// The operator's: every tenant may have it.
const REALM: TenantId = TenantId::from_raw(0);
const TENANT: TenantId = TenantId::from_raw(9);
const KEY: [u8; 32] = [7; 32];

/// A database with so many uploads that differ in nothing but their digests, and a node's components over it.
struct Place {
    folder: tempfile::TempDir,
    db: Db,
    host: Arc<PluginHost>,
    wanted: Arc<Wanted>,
    digests: Vec<ComponentDigest>,
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

fn engine() -> String {
    engine_name(&ArtifactId::current(ComponentDigest([0; 32])).expect("an engine"))
}

impl Place {
    async fn with(uploads: u32) -> Self {
        Self::telling(uploads, str::to_owned).await
    }

    /// What stands in the database as the uploads' manifests is another one.
    async fn telling(uploads: u32, altered: impl Fn(&str) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("db").display());
        let db = open(&OpenOptions::new(url)).await.expect("a database");
        migrate::migrate(&db, now()).await.expect("migrated");
        let (manifest, code) = idle_plugin();
        let own = Manifest::parse(manifest.as_bytes()).expect("a manifest");
        let manifest = altered(&manifest);
        let key = ArtifactKey::new(KEY);
        let digests: Vec<ComponentDigest> = (0..uploads)
            .map(|n| ComponentDigest::of(&n.to_le_bytes()))
            .collect();
        let mut tx = db.begin().await.expect("a transaction");
        for (n, digest) in digests.iter().enumerate() {
            let id = ArtifactId::current(*digest).expect("an engine");
            let sealed = key.seal(&id, &own, &code);
            let hex = digest.to_string();
            let component = Component {
                upload: n as i64,
                tenant: REALM,
                digest: hex.clone(),
                manifest: manifest.clone(),
                bytes: 1,
                uploaded_by: String::new(),
                signed_by: String::new(),
                author: None,
                created_at: now(),
            };
            let put = components::insert_component(&mut tx, REALM, &component, b"w").await;
            put.expect("inserted");
            components::put_artifact(&mut tx, REALM, &hex, &engine(), &sealed, now())
                .await
                .expect("put");
        }
        tx.commit().await.expect("committed");
        Self {
            folder,
            db,
            host: host(),
            wanted: Arc::default(),
            digests,
        }
    }

    fn components(&self, loaded: usize, on_disk: bool) -> Components {
        let budget = ComponentBudget {
            loaded,
            folder: on_disk.then(|| self.folder.path().join("artifacts")),
            folder_bytes: 1 << 30,
            ..ComponentBudget::default()
        };
        let (host, db, clock) = (self.host.clone(), self.db.clone(), ManualClock::at(now()));
        let key = ArtifactKey::new(KEY);
        Components::new(host, db, key, Arc::new(clock), budget, self.wanted.clone())
    }

    async fn get(&self, of: &Components, n: usize) -> Result<Arc<Plugin>, NotRunnable> {
        of.get(TENANT, &self.digests[n].to_string()).await
    }

    async fn forget_artifacts(&self) {
        let mut tx = self.db.begin().await.expect("a transaction");
        let (no_engine, later) = ("", now().plus(std::time::Duration::from_secs(1)));
        compile_work::forget_other_engines_all_tenants(&mut tx, no_engine, later, 1_000)
            .await
            .expect("forgotten");
        tx.commit().await.expect("committed");
    }

    fn file(&self, n: usize) -> PathBuf {
        let folder = self.folder.path().join("artifacts");
        folder
            .join(engine().replace(' ', "-"))
            .join(self.digests[n].to_string())
    }
}

#[tokio::test]
async fn hundreds_of_components_run_on_a_node_that_holds_ten() {
    let place = Place::with(300).await;
    let components = place.components(10, true);
    for round in 0..2 {
        for n in 0..300 {
            let plugin = place.get(&components, n).await.expect("loaded");
            assert_eq!(plugin.name(), "test");
            assert!(lock(&components.shelf).len() <= 10, "{n} of round {round}");
        }
    }
    assert_eq!(lock(&components.shelf).gone(), 590);
    for n in 290..300 {
        assert!(
            components.loaded(&place.digests[n]).is_some(),
            "{n} ran lately"
        );
    }
}

#[tokio::test]
async fn when_all_is_in_use_a_newcomer_waits_and_nothing_is_lost_by_those_who_give_up() {
    let place = Place::with(4).await;
    let components = place.components(2, false);
    let first = place.get(&components, 0).await.expect("loaded");
    let _second = place.get(&components, 1).await.expect("loaded");
    for _ in 0..3 {
        let refused = place.get(&components, 2).await.expect_err("no room");
        assert!(matches!(refused, NotRunnable::NoRoom) && refused.passes());
    }
    drop(first);
    place.get(&components, 2).await.expect("there is room now");
    assert_eq!(lock(&components.shelf).len(), 2);
}

#[tokio::test]
async fn turns_that_want_the_same_component_load_it_once() {
    let place = Place::with(1).await;
    let components = place.components(2, false);
    let both = futures::join!(place.get(&components, 0), place.get(&components, 0));
    let (one, other) = (both.0.expect("loaded"), both.1.expect("loaded"));
    assert!(Arc::ptr_eq(&one, &other));
    assert!(lock(&components.gates).is_empty());
}

#[tokio::test]
async fn a_cold_start_reads_the_disk_and_believes_only_what_is_authentic() {
    let place = Place::with(2).await;
    let components = place.components(10, true);
    for n in 0..2 {
        place.get(&components, n).await.expect("loaded");
        // Its file is written behind its back.
        drop(
            components
                .file_writes
                .acquire()
                .await
                .expect("never closed"),
        );
    }
    place.forget_artifacts().await;
    let mut altered = std::fs::read(place.file(1)).expect("a file");
    *altered.last_mut().expect("bytes") ^= 1;
    std::fs::write(place.file(1), altered).expect("written");
    let again = place.components(10, true);
    place.get(&again, 0).await.expect("from the disk");
    let refused = place.get(&again, 1).await.expect_err("altered");
    assert!(matches!(refused, NotRunnable::NotCompiled(_)), "{refused}");
    assert!(!place.file(1).exists(), "it is removed");
}

#[tokio::test]
async fn what_is_not_compiled_waits_and_what_cannot_be_compiled_is_broken() {
    let place = Place::with(1).await;
    place.forget_artifacts().await;
    let components = place.components(10, false);
    let waits = place.get(&components, 0).await.expect_err("not compiled");
    assert!(matches!(waits, NotRunnable::NotCompiled(_)), "{waits}");
    let hex = place.digests[0].to_string();
    assert_eq!(place.wanted.waiting(), [hex.as_str()]);
    let mut tx = place.db.begin().await.expect("a transaction");
    let work = (hex.as_str(), &*engine());
    let claim = compile_work::claim_all_tenants(&mut tx, work, "node", now(), now());
    assert!(claim.await.expect("claimed"));
    let problem = "uses what this engine has not";
    compile_work::refuse_all_tenants(&mut tx, work, problem, now())
        .await
        .expect("refused");
    tx.commit().await.expect("committed");
    let broken = place.get(&components, 0).await.expect_err("refused");
    assert!(matches!(&broken, NotRunnable::Refused(why) if why == problem));
}

#[tokio::test]
async fn a_component_of_another_tenant_is_none() {
    let place = Place::with(1).await;
    let mut tx = place.db.begin().await.expect("a transaction");
    let digest = ComponentDigest::of(b"another's");
    let component = Component {
        upload: 77,
        tenant: TenantId::from_raw(8),
        digest: digest.to_string(),
        manifest: "{}".to_owned(),
        bytes: 1,
        uploaded_by: String::new(),
        signed_by: String::new(),
        author: None,
        created_at: now(),
    };
    let put = components::insert_component(&mut tx, component.tenant, &component, b"w").await;
    put.expect("inserted");
    tx.commit().await.expect("committed");
    let components = place.components(10, false);
    let refused = components.get(TENANT, &digest.to_string()).await;
    assert!(matches!(refused, Err(NotRunnable::Corrupt(_))));
}

#[tokio::test]
async fn what_is_stocked_is_called_from_disk_the_first_time() {
    let place = Place::with(2).await;
    let components = place.components(10, true);
    let hex = place.digests[0].to_string();
    let stock = async || components.stock(TENANT, &hex).await.expect("looked at");
    assert_eq!(stock().await, Stocked::Now);
    assert_eq!(stock().await, Stocked::Already);
    place.forget_artifacts().await;
    place.get(&components, 0).await.expect("from disk");
    let other = place.digests[1].to_string();
    let stocked = components.stock(TENANT, &other).await;
    assert_eq!(stocked.expect("looked at"), Stocked::NotCompiled);
    let nowhere = place.components(10, false);
    let stocked = nowhere.stock(TENANT, &hex).await;
    assert_eq!(stocked.expect("looked at"), Stocked::Nowhere);
}

#[tokio::test]
async fn a_manifest_that_was_altered_in_the_database_gives_a_plugin_nothing() {
    let place = Place::telling(1, |manifest| {
        let mut manifest: serde_json::Value = serde_json::from_str(manifest).expect("JSON");
        manifest["grants"] = serde_json::json!(["contacts", "window", "http *"]);
        manifest["limits"]["fuel"] = u64::MAX.into();
        manifest.to_string()
    })
    .await;
    let components = place.components(10, false);
    let plugin = place.get(&components, 0).await.expect("loaded");
    assert!(
        plugin.manifest().grants.is_empty(),
        "what its bytes ask for"
    );
    assert_eq!(plugin.manifest().limits.fuel, None);
    // By that row it was installed with more than it asks for.
    let stored = StoredSetup {
        digest: "",
        config: "{}",
        grants: r#"["contacts", "window", "http GET https://shop.example/"]"#,
    };
    let installation = InstallationId::from_raw(1);
    let binding = PluginBinding::of(plugin, installation, stored, &Limits::default());
    assert_eq!(binding.expect("it reads").grants, Grants::default());
}
