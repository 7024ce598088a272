//! The operator's brake: a digest that runs nowhere any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use vestibule::audit::Actor;
use vestibule::clock::SystemClock;
use vestibule::domain::InstallationId;
use vestibule::domain::rollout::Stage;
use vestibule::occasions::{NewOccasion, Who};
use vestibule::tenants::installations::{Moved, allow, move_some, pause, resume, stop, tell_moved};
use vestibule_tests::town::Town;
use vestibule_tests::{Kind, TestDatabase, for_each_database, guests, until};

use super::{Life, cli, echo, push};

const FALLBACK: &str = "Sorry, something went wrong";

async fn last(life: &Life<'_>, text: &str) -> String {
    say_by(life, 1, text).await
}

/// What somebody new hears, who says `b`: the same person gets no more than Meta lets through to one.
async fn heard(life: &Life<'_>) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(5_000);
    say_by(life, NEXT.fetch_add(1, Ordering::Relaxed), "b").await
}

async fn say_by(life: &Life<'_>, customer: usize, text: &str) -> String {
    life.say(customer, text);
    life.all_answered().await;
    life.said().await.pop().expect("an answer").1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_digest_gives_way_to_the_last_good_version_and_then_to_the_fallback() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::ECHO, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        let installation = life.install(1, Stage::Active, 0, "v2 ").await;
        assert_eq!(last(&life, "a").await, "v2 a");
        let (first, second) = (&life.digests[0], &life.digests[1]);
        let stopped = stop(life.setup(), second, "it swears").await;
        let stopped = stopped.expect("stopped");
        assert_eq!((stopped.installations, stopped.moved), (1, 1));
        assert_eq!(last(&life, "b").await, "v1 b");
        stop(life.setup(), first, "that one too")
            .await
            .expect("stopped");
        assert!(last(&life, "c").await.starts_with(FALLBACK));
        for upload in [0, 1] {
            let again = life.try_install(upload, Stage::Waiting, 0, json!({})).await;
            let why = again.expect_err("refused").to_string();
            assert!(why.contains("the operator has stopped"), "{why}");
        }
        allow(life.setup(), first).await.expect("lifted");
        life.install(0, Stage::Active, 0, "v3 ").await;
        assert_eq!(last(&life, "d").await, "v3 d");
        let reasons = life.versions(&installation).await;
        assert!(
            reasons
                .iter()
                .any(|v| v.reason == "stopped by the operator: it swears")
        );
        life.end().await;
    })
    .await;
}

/// Installations beside the real one, far more than a stop moves in its own commit.
const CROWD: u64 = 300;

/// Gives as many tenants what the one tenant has installed; the operator has uploaded it.
async fn crowd(database: &TestDatabase) {
    const NUMBERS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)";
    for rows in [
        "INSERT INTO installation (id, tenant, number, plugin, position, state, bounds, generation, hears_receipts,
            created_at, breaker)
         SELECT n.i, n.i, number, plugin, position, state, bounds, generation, hears_receipts, created_at, breaker
         FROM installation, n WHERE id > 300",
        "INSERT INTO installation_version (installation, seq, tenant, digest, plugin_version, config, asked, grants,
            granted_by, granted_at, stage, percent, good, reason, changed_at, created_at)
         SELECT n.i, seq, n.i, digest, plugin_version, config, asked, grants, granted_by, granted_at, stage, percent,
            good, reason, changed_at, created_at FROM installation_version, n WHERE installation > 300",
    ] {
        database.execute(format!("{NUMBERS} {rows}").leak()).await;
    }
    for table in ["component", "component_wasm", "artifact"] {
        database
            .execute(format!("UPDATE {table} SET tenant = 0").leak())
            .await;
    }
}

/// Installations that run the second version still, and those that went back to the first.
async fn standing(database: &TestDatabase) -> (i64, i64) {
    let of = |seq| {
        format!("SELECT COUNT(*) FROM installation_version WHERE stage = 'active' AND seq = {seq}")
    };
    (
        database.count(of(2).leak()).await,
        database.count(of(1).leak()).await,
    )
}

/// The second of two versions is in service, and a crowd has it too.
async fn in_a_crowd(database: &TestDatabase) -> Life<'_> {
    let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::ECHO, "2.0.0")];
    let life = Life::begin(database, &uploads).await;
    life.install(0, Stage::Active, 0, "v1 ").await;
    life.install(1, Stage::Active, 0, "v2 ").await;
    crowd(database).await;
    life
}

const STOPS: &str = "SELECT COUNT(*) FROM audit_entry WHERE action = 'plugin.stop'";

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_with_many_installations_stops_at_once_and_they_move_on_one_after_the_other() {
    for_each_database(async |database| {
        let life = in_a_crowd(&database).await;
        let second = match database.kind {
            Kind::Sqlite => None,
            Kind::Postgres => {
                let node = life
                    .town
                    .deployment
                    .start_in_process("second", Arc::new(SystemClock));
                Some(node.await)
            }
        };
        (0..300).for_each(|customer| life.say_to(customer % 2, customer, "hello"));
        let by_second = async || {
            let sends = "SELECT COUNT(*) FROM outbox WHERE draft LIKE '%v2 hello%'";
            database.count(sends).await
        };
        until("some are answered", async || {
            (by_second().await > 0).then_some(())
        })
        .await;
        let stopped = stop(life.setup(), &life.digests[1], "it swears").await;
        let at_the_stop = by_second().await;
        let stopped = stopped.expect("stopped");
        assert_eq!(stopped.installations, CROWD + 1);
        assert!(
            stopped.moved > 0 && stopped.remaining() > CROWD / 2,
            "{stopped:?}"
        );
        // However far the first ones were: these are said after the stop, to nodes that may not know of it yet.
        (300..400).for_each(|customer| life.say_to(customer % 2, customer, "hello"));
        life.all_answered().await;
        assert_eq!(
            by_second().await,
            at_the_stop,
            "nothing of it is committed after the stop"
        );
        until("all have moved on", async || {
            (standing(&database).await == (0, 301)).then_some(())
        })
        .await;
        // Each of them once, and the stop itself.
        assert_eq!(database.count(STOPS).await, 302);
        until("the node knows it", async || {
            (heard(&life).await == "v1 b").then_some(())
        })
        .await;
        if let Some(second) = second {
            second.end().await;
        }
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_cannot_be_moved_holds_up_neither_the_stop_nor_the_others() {
    for_each_database(async |database| {
        let life = in_a_crowd(&database).await;
        let digest = &life.digests[1];
        // Whether the version before understands its memory cannot be said of this one: its own upload does not read.
        let unreadable = format!(
            "INSERT INTO component (tenant, digest, manifest, bytes, uploaded_by, signed_by, created_at, upload)
             SELECT 5, digest, 'altered', bytes, uploaded_by, signed_by, created_at, 5
             FROM component WHERE digest = '{digest}'"
        );
        database.execute(unreadable.leak()).await;
        let stopped = stop(life.setup(), digest, "it swears").await;
        let stopped = stopped.expect("the brake waits for nobody");
        assert_eq!((stopped.installations, stopped.moved), (CROWD + 1, 0));
        until("the others have moved on", async || {
            (standing(&database).await == (1, 300)).then_some(())
        })
        .await;
        until("the node knows it", async || {
            (heard(&life).await == "v1 b").then_some(())
        })
        .await;
        let step = move_some(life.setup(), digest, InstallationId::from_raw(0)).await;
        let passed_over = Moved {
            last: InstallationId::from_raw(5),
            moved: 0,
            failed: 1,
        };
        assert_eq!(step.expect("a step"), Some(passed_over));
        // Once it is mended, the next change of setup has it tried again.
        database
            .execute("DELETE FROM component WHERE tenant = 5")
            .await;
        tell_moved(life.setup()).await.expect("told");
        until("all have moved on", async || {
            (standing(&database).await == (0, 301)).then_some(())
        })
        .await;
        // Each of them once, and the stop itself.
        assert_eq!(database.count(STOPS).await, 302);
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_during_a_stop_is_heard_by_what_the_plugin_goes_on_with() {
    for_each_database(async |database| {
        let uploads = ["1.0.0", "2.0.0"].map(|version| echo(guests::CLOCKWORK, version));
        let life = Life::begin(&database, &uploads).await;
        for upload in [0, 1] {
            let installed = life.try_install(upload, Stage::Active, 0, json!({})).await;
            installed.expect("installed");
        }
        assert_eq!(last(&life, "hello").await, "hello");
        // The real one is moved on behind all of these.
        crowd(&database).await;
        let number = &life.town.business.numbers[0].phone_number_id;
        let snapshot = life.node.directory.snapshot();
        let number = snapshot.number_named(number).expect("the number");
        let paid = NewOccasion {
            id: "order-1".to_owned(),
            name: "paid".to_owned(),
            number: number.number.id,
            who: Who::Phone("+491510000001".to_owned()),
            at: None,
            fields: Default::default(),
        };
        let stopped = stop(life.setup(), &life.digests[1], "it swears").await;
        let occasions = &life.node.followers.occasions;
        let told = occasions
            .tell(life.tenant, paid, &Actor::gateway(), &Default::default())
            .await;
        told.expect("told");
        assert!(stopped.expect("stopped").remaining() > CROWD / 2);
        life.all_answered().await;
        let versions = "SELECT journal FROM turn WHERE journal LIKE '%\"message\":\"event\"%'";
        let journals = database.texts(versions).await;
        let journal: serde_json::Value = serde_json::from_str(&journals[0]).expect("JSON");
        assert_eq!(journals.len(), 1, "{journals:?}");
        assert_eq!(journal["seen"]["plugins"][0]["version"], 1, "{journal}");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_of_a_stop_is_moved_on_by_whoever_starts_next() {
    for_each_database(async |database| {
        let town = Town::without_plugin(&database).await;
        let tenant = &town.business.tenants[0];
        for version in ["1.0.0", "2.0.0"] {
            let digest = push(&town, &echo(guests::ECHO, version)).await;
            cli(&town, &["plugin", "install", &digest, "--tenant", tenant]).await;
        }
        crowd(&database).await;
        let uploads = cli(&town, &["plugin", "uploads", "--tenant", tenant]).await;
        let digest = uploads[1]["digest"].as_str().expect("a digest");
        let stopped = cli(&town, &["plugin", "stop", digest, "--reason", "drill"]).await;
        let counted = ["installations", "moved", "remaining"].map(|of| stopped[of].as_u64());
        let [Some(301), Some(moved), Some(left)] = counted else {
            panic!("{stopped}");
        };
        assert_eq!((moved > 0, moved + left), (true, 301), "{stopped}");
        // No node ran, so what is left is in the rows alone. The first one ends in the middle, as a rule.
        for _ in 0..2 {
            let clock = Arc::new(SystemClock);
            let node = town.deployment.start_in_process("node", clock).await;
            until("it goes on", async || {
                (standing(&database).await.0 < left as i64).then_some(())
            })
            .await;
            node.end().await;
        }
        let clock = Arc::new(SystemClock);
        let node = town.deployment.start_in_process("node", clock).await;
        until("all have moved on", async || {
            (standing(&database).await == (0, 301)).then_some(())
        })
        .await;
        node.end().await;
        assert_eq!(database.count(STOPS).await, 302);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_installation_leaves_its_messages_to_the_fallback_until_it_is_resumed() {
    for_each_database(async |database| {
        let life = Life::begin(&database, &[echo(guests::ECHO, "1.0.0")]).await;
        let installation = life.install(0, Stage::Active, 0, "v1 ").await;
        let (tenant, id) = (life.tenant, installation.id);
        pause(life.setup(), tenant, id, false)
            .await
            .expect("paused");
        // The program of this test compiles nothing: the message waits until that is known.
        assert!(last(&life, "a").await.starts_with(FALLBACK));
        resume(life.setup(), tenant, id).await.expect("resumed");
        assert_eq!(last(&life, "b").await, "v1 b");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_is_missing_is_looked_for_again() {
    for_each_database(async |database| {
        let life = Life::begin(&database, &[echo(guests::ECHO, "1.0.0")]).await;
        database
            .execute("UPDATE artifact SET engine = 'another ' || engine")
            .await;
        let new = life.install(0, Stage::Shadow, 0, "v1 ").await;
        // Into service without the wait that a missing artifact would make endless.
        database
            .execute("UPDATE installation_version SET stage = 'active'")
            .await;
        vestibule::tenants::installations::resume(life.setup(), life.tenant, new.id)
            .await
            .expect("setup is read again");
        assert!(last(&life, "a").await.starts_with(FALLBACK));
        database
            .execute("UPDATE artifact SET engine = SUBSTR(engine, 9)")
            .await;
        vestibule_tests::until("the artifact is found", async || {
            (heard(&life).await == "v1 b").then_some(())
        })
        .await;
        life.end().await;
    })
    .await;
}
