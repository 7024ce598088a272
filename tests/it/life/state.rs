//! Versions that keep their memory in another way: there is no way back to the old one, unless somebody answers for it.

use serde_json::json;
use vestibule::domain::rollout::Stage;
use vestibule::tenants::installations::{Rollback, stop};
use vestibule_tests::manifest::saying;
use vestibule_tests::{for_each_database, guests};

use super::Life;

fn schema(version: &str, state: u32, compatible: &[u32]) -> Vec<u8> {
    let fields = json!({"version": version, "state_schema": state, "state_compatible": compatible});
    saying(guests::ECHO, &fields)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_across_a_state_schema_needs_somebody_who_answers_for_it() {
    for_each_database(async |database| {
        let uploads = [
            schema("1.0.0", 1, &[]),
            schema("2.0.0", 2, &[]),
            schema("3.0.0", 3, &[2]),
        ];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "").await;
        // Beside each other they would write the same memory, each in its own way.
        let beside = life.try_install(1, Stage::Canary, 10, json!({})).await;
        assert!(
            beside
                .expect_err("refused")
                .to_string()
                .contains("state schemas")
        );
        let installation = life.install(1, Stage::Active, 0, "").await;
        let back = life.roll_back(&installation, Rollback::default()).await;
        assert!(
            back.expect_err("refused")
                .to_string()
                .contains("state_is_safe")
        );
        assert_eq!(active(&life, &installation).await, "2.0.0");
        let safe = Rollback {
            to: None,
            state_is_safe: true,
        };
        life.roll_back(&installation, safe)
            .await
            .expect("declared safe");
        assert_eq!(active(&life, &installation).await, "1.0.0");
        // The manifest can say it too.
        life.install(1, Stage::Active, 0, "").await;
        life.install(2, Stage::Canary, 10, "").await;
        life.install(2, Stage::Active, 0, "").await;
        life.roll_back(&installation, Rollback::default())
            .await
            .expect("2 and 3 understand each other");
        assert_eq!(active(&life, &installation).await, "2.0.0");
        // Any version that is kept can be named.
        let first = Rollback {
            to: Some(1),
            state_is_safe: true,
        };
        life.roll_back(&installation, first)
            .await
            .expect("it is kept");
        assert_eq!(active(&life, &installation).await, "1.0.0");
        life.end().await;
    })
    .await;
}

async fn active(
    life: &Life<'_>,
    installation: &vestibule::storage::installations::Installation,
) -> String {
    let now = life.now(installation).await;
    now.active().expect("one is active").version.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_ten_versions_are_kept() {
    for_each_database(async |database| {
        let uploads = [schema("1.0.0", 1, &[])];
        let life = Life::begin(&database, &uploads).await;
        let installation = life.install(0, Stage::Active, 0, "0").await;
        for prefix in 1..=12 {
            life.install(0, Stage::Active, 0, &prefix.to_string()).await;
        }
        let kept = life.versions(&installation).await;
        let seqs: Vec<i64> = kept.iter().map(|version| version.seq).collect();
        assert_eq!(seqs, (3..=13).rev().collect::<Vec<i64>>());
        // Each with the settings that it had.
        let third = Rollback {
            to: Some(3),
            state_is_safe: false,
        };
        let back = life.roll_back(&installation, third).await.expect("kept");
        assert_eq!(back.active().expect("one").config, r#"{"prefix":"2"}"#);
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_that_fail_do_not_push_out_the_version_to_go_back_to() {
    for_each_database(async |database| {
        let uploads = [schema("1.0.0", 1, &[]), schema("2.0.0", 1, &[])];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        let installation = life.install(1, Stage::Active, 0, "v2 ").await;
        // Each takes the place of the one before it.
        for prefix in 1..=12 {
            life.install(1, Stage::Waiting, 0, &prefix.to_string())
                .await;
        }
        let candidate = Rollback::default();
        life.roll_back(&installation, candidate)
            .await
            .expect("it goes");
        assert_eq!(
            life.versions(&installation).await.len(),
            12,
            "active, ten that failed, one good"
        );
        life.roll_back(&installation, Rollback::default())
            .await
            .expect("it is kept");
        assert_eq!(active(&life, &installation).await, "1.0.0");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_passes_by_what_is_stopped_and_what_keeps_its_memory_otherwise() {
    for_each_database(async |database| {
        let uploads = [
            schema("1.0.0", 1, &[]),
            schema("2.0.0", 2, &[]),
            schema("3.0.0", 1, &[]),
            schema("4.0.0", 1, &[]),
        ];
        let life = Life::begin(&database, &uploads).await;
        for upload in 0..=2 {
            life.install(upload, Stage::Active, 0, "").await;
        }
        let installation = life.install(3, Stage::Active, 0, "").await;
        stop(life.setup(), &life.digests[2], "it swears")
            .await
            .expect("stopped");
        life.roll_back(&installation, Rollback::default())
            .await
            .expect("the first one can");
        assert_eq!(active(&life, &installation).await, "1.0.0");
        // One that is named is meant.
        let named = Rollback {
            to: Some(3),
            state_is_safe: true,
        };
        let refused = life
            .roll_back(&installation, named)
            .await
            .expect_err("stopped");
        assert!(
            refused.to_string().contains("the operator has stopped"),
            "{refused}"
        );
        life.end().await;
    })
    .await;
}
