//! A candidate that only looks on: what it wants is kept and compared, and nothing of it happens.

use serde_json::json;
use vestibule::domain::TurnId;
use vestibule::domain::rollout::{Bounds, Stage};
use vestibule::tenants::Expected;
use vestibule::tenants::installations::{InstallationChange, change};
use vestibule_tests::{for_each_database, guests, until};

use super::{Life, echo};

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_sees_the_same_and_changes_nothing() {
    for_each_database(async |database| {
        let uploads = [
            echo(guests::COUNTER, "1.0.0"),
            echo(guests::COUNTER, "2.0.0"),
        ];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "").await;
        life.install(1, Stage::Shadow, 0, "").await;
        for round in 1..=3 {
            life.say(1, "count");
            life.all_answered().await;
            // Were the shadow's memory real, it would count twice.
            let last = life.said().await.pop().expect("an answer");
            assert_eq!(last.1, round.to_string());
        }
        assert_eq!(life.said().await.len(), 3, "one answer for each message");
        for journal in life.journals().await {
            let trial = &journal["trials"][0];
            assert_eq!(
                (&trial["same"], &trial["stage"]),
                (&json!(true), &json!("shadow")),
                "{journal}"
            );
            assert_eq!(trial["version"], "2.0.0");
            assert_eq!(trial["kv"], journal["report"]["kv"][0]["writes"]);
            assert!(trial["calls"][0]["fuel"].as_u64() > Some(0));
        }
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_that_says_the_same_and_remembers_something_else_is_different() {
    for_each_database(async |database| {
        let uploads = [
            echo(guests::COUNTER, "1.0.0"),
            echo(guests::FORGETFUL_COUNTER, "2.0.0"),
        ];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "").await;
        life.install(1, Stage::Shadow, 0, "").await;
        life.say(1, "count");
        life.all_answered().await;
        let journal = life.journals().await.remove(0);
        let trial = &journal["trials"][0];
        // Both say `1`; the candidate would not know it the next time.
        assert!(trial["effects"].to_string().contains("\"1\""), "{trial}");
        assert_eq!(
            (&trial["same"], &trial["kv"]),
            (&json!(false), &json!(null)),
            "{journal}"
        );
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_that_wants_something_else_is_told_and_goes_where_a_bound_says_so() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::ECHO, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        let installation = life.install(1, Stage::Shadow, 0, "v2 ").await;
        (0..30).for_each(|customer| life.say(customer, "hello"));
        life.all_answered().await;
        let said = life.said().await;
        assert!(said.iter().all(|(_, text)| text == "v1 hello") && said.len() == 30);
        let journals = life.journals().await;
        let trial = &journals[0]["trials"][0];
        assert_eq!(trial["same"], false);
        assert!(trial["effects"].to_string().contains("v2 hello"), "{trial}");
        assert!(
            life.now(&installation).await.candidate().is_some(),
            "to be different is fine"
        );
        // The author's look at it, once the node has told the database.
        until("what the shadow did is added up", async || {
            let all = life.health(life.tenant, &life.digests[1]).await.all;
            (all.different == 30 && all.turns == 30 && all.fuel.quantile(0.5) > Some(0))
                .then_some(())
        })
        .await;
        let strict = InstallationChange {
            bounds: Some(Bounds {
                difference_percent: 50.0,
                ..Bounds::default()
            }),
            ..InstallationChange::default()
        };
        let compiler = &life.node.context.compiler;
        let (tenant, id) = (life.tenant, installation.id);
        let changed = change(
            life.setup(),
            compiler,
            tenant,
            id,
            &Expected::Anything,
            &strict,
        )
        .await;
        changed.expect("a bound can be changed");
        until("the shadow goes by itself", async || {
            life.say(31, "once more");
            life.all_answered().await;
            life.now(&installation)
                .await
                .candidate()
                .is_none()
                .then_some(())
        })
        .await;
        let gone = &life.versions(&installation).await[0];
        assert!(gone.reason.contains("had other effects"), "{}", gone.reason);
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_on_trial_is_told_with_the_lines_of_its_own_version() {
    for_each_database(async |database| {
        let uploads = [
            echo(guests::ECHO, "1.0.0"),
            echo(guests::TRAP_WITH_LINES, "2.0.0"),
        ];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        life.try_install(1, Stage::Shadow, 0, json!({}))
            .await
            .expect("installed");
        life.say(1, "hello");
        life.all_answered().await;
        // The node runs in this process, which is not what debug information is read with.
        let Life { town, node, .. } = life;
        node.end().await;
        let turns = database.texts("SELECT CAST(id AS TEXT) FROM turn").await;
        let turn = TurnId::from_raw(turns[0].parse().expect("a number")).to_string();
        let ask = [
            "plugin",
            "trace",
            &turn,
            "--tenant",
            &town.business.tenants[0],
        ];
        let told = town.deployment.run("node", &ask, &[]).await;
        for part in [
            "on trial\n  echo 2.0.0  shadow  not compared\n  echo 2.0.0  auto-reply  ",
            "fault: trap: ",
            "examples/trap.rs:11\n",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    })
    .await;
}
