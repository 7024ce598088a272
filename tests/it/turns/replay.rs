//! Replays of the journal (promise 7): the same component does the same to the byte, a candidate's differences are found
//! where they are, and what cannot be replayed says so. The program itself is run: every replay of it gives up its sockets
//! first, asks the kernel for one, and ends if it gets it.

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::domain::{ContactId, ConversationId, InstallationId, TurnId};
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, until};

use super::{all_done, say};

/// Turns of the ordinary run; `VESTIBULE_REPLAYS=10000` for the long one.
const TURNS: usize = 500;
const CUSTOMERS: usize = 250;

#[allow(
    clippy::disallowed_methods,
    reason = "the size of the test is whoever runs it's to say"
)]
fn turns() -> usize {
    let asked = std::env::var("VESTIBULE_REPLAYS").ok();
    asked.map_or(TURNS, |asked| asked.parse().expect("a number of turns"))
}

/// The first tenant's installation.
pub(super) async fn installation(database: &TestDatabase) -> String {
    installation_of(database, 0).await
}

/// A tenant's: their ids are in the order of their coming.
pub(super) async fn installation_of(database: &TestDatabase, tenant: usize) -> String {
    let query = "SELECT CAST(id AS TEXT) FROM installation ORDER BY tenant";
    let id = database.texts(query).await.remove(tenant);
    InstallationId::from_raw(id.parse().expect("a number")).to_string()
}

pub(super) struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

/// Runs a verb of the program, whatever its end.
pub(super) async fn run(town: &Town, arguments: &[&str]) -> Ended {
    let mut command = tokio::process::Command::from(town.deployment.command("node"));
    let output = command.args(arguments).output().await;
    let output = output.expect("the program starts");
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Replays all turns of the first tenant's installation with a candidate.
pub(super) async fn replay(
    town: &Town,
    installation: &str,
    candidate: &[u8],
    more: &[&str],
) -> Ended {
    let file = town.deployment.data_dir("candidate").with_extension("wasm");
    std::fs::write(&file, candidate).expect("the candidate is written");
    let file = file.to_str().expect("a path in UTF-8");
    let tenant = town.business.tenants[0].as_str();
    let mut arguments = vec!["plugin", "replay", "--tenant", tenant, "--since", "1h"];
    arguments.extend(["--installation", installation, "--candidate", file]);
    arguments.extend(more);
    run(town, &arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_component_does_the_same_to_the_byte() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::COUNTER, &["kv"]).await;
        let node = town.node("node").await;
        for round in 0..turns().div_ceil(CUSTOMERS) {
            (0..CUSTOMERS).for_each(|customer| say(&town, 0, customer, &format!("line {round}")));
            all_done(&town, &database).await;
        }
        node.end().await;
        let installation = installation(&database).await;
        let gate = [
            "--json",
            "--fail-if",
            "different>0",
            "--fail-if",
            "unknown>0",
        ];
        let more = ["--fail-if", "not-reproduced>0", "--fail-if", "fuel>+0%"];
        let gate = [gate.as_slice(), &more].concat();
        let ended = replay(&town, &installation, guests::COUNTER, &gate).await;
        let told = ended.json();
        eprintln!("{:?}: {told}", database.kind);
        let all = (turns().div_ceil(CUSTOMERS) * CUSTOMERS) as u64;
        assert_eq!(told["same"], all.min(10_000), "{told}");
        assert_eq!(told["fuel"][0], told["fuel"][1], "{told}");
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        // Another version that asks for another key: nobody knows what it would have got.
        let gate = ["--json", "--limit", "20", "--fail-if", "unknown>5%"];
        let ended = replay(&town, &installation, guests::FORGETFUL_COUNTER, &gate).await;
        assert_eq!(ended.json()["unknown"], 20, "{}", ended.out);
        assert_eq!(ended.code, Some(1), "nothing was compared: {}", ended.err);
    })
    .await;
}

/// Conversations whose customer greeted.
async fn greeted(database: &TestDatabase) -> BTreeSet<String> {
    let query = "SELECT DISTINCT CAST(conversation AS TEXT) FROM inbound_event WHERE content LIKE '%hello%'";
    let ids = database.texts(query).await;
    let id = |raw: &String| ConversationId::from_raw(raw.parse().expect("a number")).to_string();
    ids.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_reported_on_exactly_the_affected_conversations() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        for customer in 0..20 {
            let words = ["hello", "where is my order"][usize::from(customer % 5 != 0)];
            say(&town, 0, customer, words);
        }
        all_done(&town, &database).await;
        let installation = installation(&database).await;
        // The node runs on: the journal comes through it, or from the database beside it.
        let told = replay(&town, &installation, guests::ECHO_WARMLY, &["--json"])
            .await
            .json();
        assert_eq!(
            (&told["same"], &told["different"]),
            (&16.into(), &4.into()),
            "{told}"
        );
        let differences = told["differences"].as_array().expect("a list");
        let found: BTreeSet<String> = differences
            .iter()
            .filter_map(|difference| difference["conversation"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(found, greeted(&database).await);
        for difference in differences {
            assert_eq!(difference["said"], "hello");
            assert_eq!(difference["before"], serde_json::json!([r#"says "hello""#]));
            assert_eq!(
                difference["after"],
                serde_json::json!([r#"says "hello, dear""#])
            );
        }
        let one = ["--json", "--show", "1"];
        let told = replay(&town, &installation, guests::ECHO_WARMLY, &one)
            .await
            .json();
        let shown = told["differences"].as_array().map(Vec::len);
        assert_eq!(
            (shown, &told["different"], &told["differences_not_told"]),
            (Some(1), &4.into(), &3.into()),
            "what is not shown is counted: {told}"
        );
        let gate = ["--fail-if", "different>19%"];
        let ended = replay(&town, &installation, guests::ECHO_WARMLY, &gate).await;
        assert_eq!(ended.code, Some(3), "{}", ended.err);
        assert!(
            ended
                .out
                .contains("  - says \"hello\"\n  + says \"hello, dear\""),
            "{}",
            ended.out
        );
        assert!(ended.out.contains("broken: different>19%"), "{}", ended.out);
        let gate = ["--fail-if", "different>20%"];
        let ended = replay(&town, &installation, guests::ECHO_WARMLY, &gate).await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let ended = replay(&town, &installation, guests::COUNTER, &[]).await;
        assert!(
            ended.err.contains("the candidate is the plugin `counter`"),
            "{}",
            ended.err
        );
        node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_says_so_and_strangers_turns_are_nobodys() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        (0..4).for_each(|customer| say(&town, 0, customer, "hello"));
        all_done(&town, &database).await;
        node.end().await;
        let turns = database.texts("SELECT CAST(id AS TEXT) FROM turn ORDER BY id").await;
        let spoil = [
            "DELETE FROM inbound_event WHERE turn = (SELECT MIN(id) FROM turn) RETURNING CAST(id AS TEXT)",
            r#"UPDATE turn SET journal = REPLACE(journal, '"mark":', '"cut":["host_answers"],"mark":')
               WHERE id = (SELECT id FROM turn ORDER BY id LIMIT 1 OFFSET 1) RETURNING CAST(id AS TEXT)"#,
            r#"UPDATE turn SET journal = REPLACE(journal, '"mark":', '"before":')
               WHERE id = (SELECT id FROM turn ORDER BY id LIMIT 1 OFFSET 2) RETURNING CAST(id AS TEXT)"#,
        ];
        for query in spoil {
            assert_eq!(database.texts(query).await.len(), 1);
        }
        let installation = installation(&database).await;
        let told = replay(&town, &installation, guests::ECHO, &["--json"]).await.json();
        let left = serde_json::json!({"event_gone": 1, "older_journal": 1, "oversized": 1});
        assert_eq!((&told["left_out"], &told["same"]), (&left, &1.into()), "{told}");
        assert_eq!((&told["gate"], &told["compared"]), (&Value::Null, &1.into()), "{told}");
        // One of four was compared: too few, unless whoever asks says that they are enough.
        let gate = ["--json", "--fail-if", "different>0"];
        let ended = replay(&town, &installation, guests::ECHO, &gate).await;
        let broken = serde_json::json!(["compared<90%"]);
        assert_eq!((ended.code, &ended.json()["broken_bounds"]), (Some(3), &broken), "{}", ended.err);
        let gate = ["--json", "--fail-if", "different>0", "--fail-if", "compared<1"];
        let ended = replay(&town, &installation, guests::ECHO, &gate).await;
        assert_eq!((ended.code, &ended.json()["gate"]), (Some(0), &"passed".into()), "{}", ended.err);

        let stranger = town.business.tenants[1].as_str();
        let turn = TurnId::from_raw(turns[3].parse().expect("a number")).to_string();
        let asks: [&[&str]; 2] = [
            &["plugin", "trace", &turn, "--tenant", stranger],
            &[
                "plugin", "replay", "--tenant", stranger, "--installation", &installation,
                "--candidate", "reference:faq", "--since", "1h",
            ],
        ];
        for ask in asks {
            let ended = run(&town, ask).await;
            assert_ne!(ended.code, Some(0));
            assert!(ended.err.contains("of this tenant"), "{}", ended.err);
            assert_eq!(ended.out, "");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_in_no_journal_and_their_turns_say_so() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        (0..3).for_each(|customer| say(&town, 0, customer, "hello"));
        all_done(&town, &database).await;
        let query = "SELECT CAST(contact AS TEXT) FROM conversation ORDER BY id LIMIT 1";
        let contact = database.texts(query).await.remove(0);
        let contact = ContactId::from_raw(contact.parse().expect("a number")).to_string();
        let tenant = town.business.tenants[0].as_str();
        let erase = ["contact", "erase-journals", &contact, "--tenant"];
        let stranger = town.business.tenants[1].as_str();
        let refused = run(&town, &[erase.as_slice(), &[stranger]].concat()).await;
        assert!(refused.err.contains("contact"), "{}", refused.err);
        let queued = run(&town, &[erase.as_slice(), &[tenant]].concat()).await;
        assert_eq!(queued.code, Some(0), "{}", queued.err);
        let done =
            "SELECT COUNT(*) FROM job WHERE kind = 'contacts.erase_journals' AND ended_at > 0";
        until("the journals are erased", async || {
            (database.count(done).await == 1).then_some(())
        })
        .await;
        node.end().await;

        let query = "SELECT CAST(id AS TEXT) FROM turn WHERE journal LIKE '%\"erased\"%'";
        let erased = database.texts(query).await;
        assert_eq!(erased.len(), 1, "one of three people");
        let turn = TurnId::from_raw(erased[0].parse().expect("a number")).to_string();
        let trace = run(&town, &["plugin", "trace", &turn, "--tenant", tenant]).await;
        assert!(
            trace.out.contains("erased: what there was"),
            "{}",
            trace.out
        );
        assert!(!trace.out.contains("hello"), "{}", trace.out);
        let installation = installation(&database).await;
        let told = replay(&town, &installation, guests::ECHO, &["--json"])
            .await
            .json();
        let left = serde_json::json!({"erased": 1});
        assert_eq!(
            (&told["left_out"], &told["same"]),
            (&left, &2.into()),
            "{told}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_tells_calls_fuel_policy_and_where_a_guest_trapped() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::TRAP_WITH_LINES, &[]).await;
        let node = town.node("node").await;
        say(&town, 0, 0, "hello");
        all_done(&town, &database).await;
        // The node runs in this process, which is not what debug information is read with.
        node.end().await;
        let turn = database
            .texts("SELECT CAST(id AS TEXT) FROM turn")
            .await
            .remove(0);
        let turn = TurnId::from_raw(turn.parse().expect("a number")).to_string();
        let tenant = town.business.tenants[0].as_str();
        let ended = run(&town, &["plugin", "trace", &turn, "--tenant", tenant]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        for part in [
            "outcome       fallback",
            "trap 0.1.0  auto-reply",
            "% of 50000000",
            "fault: trap:",
            "\n      in ",
            // The panic's own line.
            "examples/trap.rs:11\n",
        ] {
            assert!(ended.out.contains(part), "{part}: {}", ended.out);
        }
        assert!(
            !ended.out.contains("in function "),
            "functions have names: {}",
            ended.out
        );
    })
    .await;
}
