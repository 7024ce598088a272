//! A candidate that answers some of the conversations: always the same ones, none of them left alone, and not for long
//! when it is broken.

use std::collections::BTreeSet;

use vestibule::clock::SystemClock;
use vestibule::domain::Clock;
use vestibule::domain::rollout::{Stage, Tally};
use vestibule::storage::plugin_health::{self, Part};
use vestibule_tests::{for_each_database, guests, until};

use super::{Life, echo};

/// Customers who write at the same time.
const AT_ONCE: usize = 20;
/// More than may meet a broken candidate.
const CUSTOMERS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_faults_on_5_percent_goes_by_itself_before_200_conversations_met_it() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::BRITTLE, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        let installation = life.install(1, Stage::Canary, 100, "v2 ").await;
        let mut spoke = 0;
        while life.now(&installation).await.candidate().is_some() && spoke < CUSTOMERS {
            for customer in spoke..spoke + AT_ONCE {
                let crack = if customer % 20 == 7 { "crack" } else { "hello" };
                life.say(customer, crack);
            }
            life.all_answered().await;
            spoke += AT_ONCE;
        }
        let said = life.said().await;
        let answered: BTreeSet<&String> = said.iter().map(|(phone, _)| phone).collect();
        assert_eq!((answered.len(), said.len()), (spoke, spoke), "one answer for each");
        let met = said.iter().filter(|(_, text)| text.starts_with("v2 ")).count();
        let fell_back = said.iter().filter(|(_, text)| text == "v1 crack").count();
        eprintln!("{met} conversations met the candidate, {fell_back} were taken over");
        assert!(met > 0 && met + fell_back < 200, "{met} met it");
        assert!(fell_back >= 2 && !said.iter().any(|(_, text)| text == "v2 crack"));
        let gone = &life.versions(&installation).await[0];
        assert_eq!((gone.stage, gone.version.as_str()), (Stage::Retired, "2.0.0"));
        assert!(gone.reason.starts_with("rolled back by itself in canary: 2 of "), "{}", gone.reason);
        // The journal says who was asked first, and why the answer is another's.
        let journals = life.journals().await;
        let trials = journals.iter().filter_map(|journal| journal["trials"].get(0));
        let trials: Vec<_> = trials.collect();
        // A turn that the switch overtook ran again, without a candidate to tell of.
        assert!((1..=fell_back).contains(&trials.len()), "{trials:?}");
        assert!(trials.iter().all(|trial| trial["fell_back"] == "trap" && trial["version"] == "2.0.0"));
        let audit = "SELECT COUNT(*) FROM audit_entry WHERE action = 'plugin.roll_back' AND actor_kind = 'gateway'";
        assert_eq!(database.count(audit).await, 1);
        life.say(CUSTOMERS, "crack");
        life.all_answered().await;
        let last = life.said().await.pop().expect("an answer");
        assert_eq!(last.1, "v1 crack");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_has_the_same_conversations_and_a_larger_share_has_them_too() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::ECHO, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        let installation = life.install(1, Stage::Canary, 30, "v2 ").await;
        let small = drawn(&life, "one").await;
        assert_eq!(drawn(&life, "two").await, small, "sticky");
        life.promote(&installation, Stage::Canary, 70).await;
        let large = drawn(&life, "three").await;
        eprintln!("{} of {PEOPLE}, then {}", small.len(), large.len());
        assert!(!small.is_empty() && small.len() < large.len() && large.len() < PEOPLE);
        assert!(small.is_subset(&large));
        life.promote(&installation, Stage::Active, 0).await;
        assert_eq!(drawn(&life, "four").await.len(), PEOPLE);
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_cannot_load_does_not_come_into_service() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::BRITTLE, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        let installation = life.install(0, Stage::Active, 0, "v1 ").await;
        // Somebody with access to the database lets the second digest have the first one's code.
        database
            .execute(
                "UPDATE artifact SET sealed = (SELECT sealed FROM artifact a WHERE a.digest =
                    (SELECT v.digest FROM installation_version v WHERE v.plugin_version = '1.0.0'))",
            )
            .await;
        let config = serde_json::json!({"prefix": "v2 "});
        let refused = life.try_install(1, Stage::Active, 0, config).await;
        let why = refused.expect_err("it does not load").to_string();
        assert!(why.contains("a node cannot load it"), "{why}");
        life.say(1, "hello");
        life.all_answered().await;
        assert_eq!(life.said().await[0].1, "v1 hello");
        // Nor does a canary of it cost anybody their answer.
        life.promote(&installation, Stage::Canary, 100).await;
        life.say(1, "again");
        life.all_answered().await;
        assert_eq!(life.said().await[1].1, "v1 again");
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_nodes_saw_counts_too() {
    for_each_database(async |database| {
        let uploads = [echo(guests::ECHO, "1.0.0"), echo(guests::BRITTLE, "2.0.0")];
        let life = Life::begin(&database, &uploads).await;
        life.install(0, Stage::Active, 0, "v1 ").await;
        let installation = life.install(1, Stage::Canary, 100, "v2 ").await;
        // Another node had 40 turns and one fault: none of the two sees enough by itself.
        let mut theirs = Tally {
            turns: 40,
            ..Tally::default()
        };
        theirs.faults.insert("trap".to_owned(), 1);
        let part = Part {
            tenant: life.tenant,
            installation: installation.id,
            seq: 2,
            stage: Stage::Canary,
        };
        let mut tx = life.setup().db.begin().await.expect("a transaction");
        plugin_health::add_all_tenants(&mut tx, 1_000, &[(part, theirs)], SystemClock.now())
            .await
            .expect("added");
        tx.commit().await.expect("a commit");
        life.say(1, "crack");
        life.all_answered().await;
        assert_eq!(life.said().await[0].1, "v1 crack");
        until("both together take it out", async || {
            let now = life.now(&installation).await;
            now.candidate().is_none().then_some(())
        })
        .await;
        let gone = &life.versions(&installation).await[0];
        assert!(
            gone.reason.contains("2 of 41 turns were faulty"),
            "{}",
            gone.reason
        );
        life.end().await;
    })
    .await;
}

const PEOPLE: usize = 60;

/// Who is answered by the second version.
async fn drawn(life: &Life<'_>, word: &str) -> BTreeSet<String> {
    (0..PEOPLE).for_each(|customer| life.say(customer, word));
    life.all_answered().await;
    let theirs = format!("v2 {word}");
    let said = life.said().await.into_iter();
    let said = said.filter(|(_, text)| *text == theirs);
    said.map(|(phone, _)| phone).collect()
}
