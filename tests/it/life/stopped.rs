//! The operator's brake: a digest that runs nowhere any more.

use serde_json::json;
use vestibule::domain::rollout::Stage;
use vestibule::tenants::installations::{allow, pause, resume, stop};
use vestibule_tests::{for_each_database, guests};

use super::{Life, echo};

const FALLBACK: &str = "Sorry, something went wrong";

async fn last(life: &Life<'_>, text: &str) -> String {
    life.say(1, text);
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
        assert_eq!(
            stop(life.setup(), second, "it swears")
                .await
                .expect("stopped"),
            1
        );
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
            (last(&life, "b").await == "v1 b").then_some(())
        })
        .await;
        life.end().await;
    })
    .await;
}
