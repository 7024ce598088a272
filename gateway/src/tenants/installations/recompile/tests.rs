//! What becomes of components whose compilation fails, over a real database. The compiler itself cannot be started here.

use super::*;
use crate::domain::time::ManualClock;
use crate::domain::{Clock, IdGenerator};
use crate::plugin_host::CompileLimits;
use crate::plugin_host::testing::idle_plugin;
use crate::secrets::Keyring;
use crate::storage::components::Component;
use crate::storage::{Db, OpenOptions, migrate, open};

const TENANT: TenantId = TenantId::from_raw(9);
const CLAIM: Duration = Duration::from_secs(150);

#[test]
fn what_turns_wait_for_is_asked_for_once_and_in_order() {
    let wanted = Wanted::default();
    let tenant = TenantId::from_raw(7);
    for digest in ["b", "a", "b"] {
        wanted.want(tenant, digest);
    }
    assert_eq!(wanted.waiting(), ["b", "a"]);
    assert_eq!(wanted.take().as_deref(), Some("b"));
    assert_eq!(wanted.waiting(), ["a"]);
}

struct Place {
    _folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    recompiler: Recompiler,
}

async fn database(folder: &tempfile::TempDir, now: Timestamp) -> Db {
    let url = format!("sqlite:{}", folder.path().join("db").display());
    let db = open(&OpenOptions::new(url)).await.expect("a database");
    migrate::migrate(&db, now).await.expect("migrated");
    db
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let now = Timestamp::from_secs(1_795_000_000);
        let clock = Arc::new(ManualClock::at(now));
        let keyring = Keyring::of_file(folder.path().join("keys.toml")).expect("keys are made");
        let (db, ids) = (
            database(&folder, now).await,
            IdGenerator::new(1, Timestamp::ZERO),
        );
        let setup = SetupContext::new(db, Arc::new(keyring), clock.clone(), ids);
        let compiler = Compiler::new("/nonexistent".into(), CompileLimits::default());
        let recompiler = Recompiler {
            setup,
            compiler: Arc::new(compiler),
            wanted: Arc::default(),
            holder: "node".to_owned(),
            children: 1,
            per_minute: 1,
            claim: CLAIM,
        };
        Self {
            _folder: folder,
            clock,
            recompiler,
        }
    }

    /// Keeps these bytes under the digest of those. The digest.
    async fn keep(&self, of: &[u8], bytes: &[u8]) -> String {
        self.keep_for(TENANT, of, bytes).await
    }

    async fn keep_for(&self, tenant: TenantId, of: &[u8], bytes: &[u8]) -> String {
        let digest = ComponentDigest::of(of).to_string();
        let component = Component {
            upload: 1,
            tenant,
            digest: digest.clone(),
            manifest: idle_plugin().0,
            bytes: 1,
            uploaded_by: String::new(),
            signed_by: String::new(),
            author: None,
            created_at: self.clock.now(),
        };
        let mut tx = self.recompiler.setup.db.begin().await.expect("begun");
        components::insert_component(&mut tx, tenant, &component, bytes)
            .await
            .expect("kept");
        tx.commit().await.expect("committed");
        digest
    }

    async fn one(&self, digest: &str) -> Result<Done> {
        self.recompiler.one(digest, &CancellationToken::new()).await
    }

    async fn missing(&self) -> Vec<String> {
        self.recompiler.missing().await.expect("read")
    }

    async fn problem(&self, digest: &str) -> Option<String> {
        let engine = self.recompiler.engine().expect("an engine");
        let mut tx = self.recompiler.setup.db.read().await.expect("begun");
        compile_work::problem_all_tenants(&mut tx, digest, &engine)
            .await
            .expect("read")
    }
}

#[tokio::test]
async fn what_fails_by_the_machine_is_tried_again_after_a_while_and_given_up_for_an_hour() {
    let place = Place::new().await;
    let digest = place.keep(b"component", b"component").await;
    for _ in 1..8 {
        let failed = place.one(&digest).await.expect_err("no compiler");
        assert!(matches!(failed, SetupError::Compile(_)), "{failed}");
        assert_eq!(place.problem(&digest).await, None, "turns wait");
        assert_eq!(place.missing().await, [digest.as_str()]);
        let at_once = place.one(&digest).await.expect("looked at");
        assert_eq!(at_once, Done::Elsewhere, "not before its pause is over");
        place.clock.advance(Duration::from_secs(331));
    }
    let refused = place.one(&digest).await.expect("an end");
    assert_eq!(refused, Done::Refused);
    let problem = place.problem(&digest).await.expect("turns fall back");
    assert!(problem.contains("could not be compiled"), "{problem}");
    assert!(place.missing().await.is_empty());
    place.clock.advance(Duration::from_secs(3_599));
    assert!(place.missing().await.is_empty());
    place.clock.advance(Duration::from_secs(1));
    assert_eq!(place.missing().await, [digest.as_str()], "tried once more");
    assert_eq!(place.one(&digest).await.expect("an end"), Done::Refused);
    assert!(
        place.problem(&digest).await.is_some(),
        "and nobody waits for that"
    );
}

#[tokio::test]
async fn bytes_that_the_digest_does_not_name_are_not_compiled() {
    let place = Place::new().await;
    let digest = place.keep(b"component", b"another").await;
    assert_eq!(place.one(&digest).await.expect("an end"), Done::Refused);
    let problem = place.problem(&digest).await.expect("told");
    assert!(problem.contains("changed in the database"), "{problem}");
    // Whoever uploads it again mends it.
    place.keep(b"component", b"component").await;
    place.clock.advance(Duration::from_hours(24));
    let failed = place.one(&digest).await.expect_err("no compiler");
    assert!(matches!(failed, SetupError::Compile(_)), "{failed}");
}

#[tokio::test]
async fn bytes_that_were_altered_at_one_tenant_are_taken_from_another() {
    let place = Place::new().await;
    let digest = place.keep(b"component", b"another").await;
    let others: [(i64, &[u8]); 3] = [(8, b"a third"), (10, b"a third"), (11, b"component")];
    for (other, bytes) in others {
        place
            .keep_for(TenantId::from_raw(other), b"component", bytes)
            .await;
    }
    let failed = place.one(&digest).await.expect_err("no compiler");
    assert!(matches!(failed, SetupError::Compile(_)), "{failed}");
    assert_eq!(place.problem(&digest).await, None);
}

#[tokio::test]
async fn what_a_node_leaves_as_it_stops_is_anybodys_at_once_and_was_no_try() {
    let place = Place::new().await;
    let digest = place.keep(b"component", b"component").await;
    let stop = CancellationToken::new();
    stop.cancel();
    for _ in 0..20 {
        let left = place.recompiler.one(&digest, &stop).await;
        assert_eq!(left.expect("an end"), Done::Elsewhere);
    }
    assert!(place.one(&digest).await.is_err(), "it was taken on again");
    assert_eq!(place.problem(&digest).await, None, "turns wait");
}
