//! Two nodes over one database, neither of which sees enough to judge alone.

use std::sync::Arc;

use super::super::Once;
use super::*;
use crate::directory::Directory;
use crate::domain::breaker::BreakerRule;
use crate::domain::rollout::{Bounds, Rule, Stage};
use crate::domain::time::ManualClock;
use crate::domain::{ConversationId, EventId, IdGenerator, InstallationId, TenantId, Timestamp};
use crate::secrets::Keyring;
use crate::storage::{Db, OpenOptions, migrate, open};
use crate::tenants::SetupContext;

fn now() -> Timestamp {
    Timestamp::from_secs(1_795_000_000)
}

fn part() -> Part {
    Part {
        tenant: TenantId::from_raw(1),
        installation: InstallationId::from_raw(2),
        seq: 3,
        stage: Stage::Active,
    }
}

/// By which nothing but the breaker judges what is in service, and the fuel that it has.
fn rule() -> (Rule, u64) {
    let rule = Rule {
        bounds: Bounds::default(),
        watch: None,
    };
    (rule, 1_000)
}

async fn node(db: &Db, keyring: &Arc<Keyring>, slot: u16) -> Arc<Rollouts> {
    let directory = Directory::load(db.clone(), keyring.clone()).await;
    let clock = Arc::new(ManualClock::at(now()));
    let ids = IdGenerator::new(slot, Timestamp::ZERO);
    let setup = SetupContext::new(db.clone(), keyring.clone(), clock, ids);
    let directory = Arc::new(directory.expect("setup reads"));
    let name = format!("node {slot}");
    Rollouts::new(setup, directory, name, &[7; 32], BreakerRule::default())
}

impl Rollouts {
    /// So many turns of this node's own conversations.
    fn sees(&self, turns: i64, fault: Option<&'static str>) {
        let once = Once {
            fault,
            ..Once::default()
        };
        for n in 0..turns {
            let conversation = ConversationId::from_raw(n % 2);
            self.note(part(), rule(), conversation, &once);
        }
    }

    fn verdict(&self) -> Option<String> {
        self.state().broken.get(&part()).cloned()
    }
}

async fn database(folder: &tempfile::TempDir) -> (Db, Arc<Keyring>) {
    let url = format!("sqlite:{}", folder.path().join("db").display());
    let db = open(&OpenOptions::new(url)).await.expect("a database");
    migrate::migrate(&db, now()).await.expect("migrated");
    let keyring = Keyring::of_file(folder.path().join("keys.toml")).expect("keys are made");
    (db, Arc::new(keyring))
}

#[tokio::test]
async fn what_had_no_turn_here_is_neither_written_nor_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (db, keyring) = database(&folder).await;
    let (one, other) = (node(&db, &keyring, 1).await, node(&db, &keyring, 2).await);
    let canary = Part {
        stage: Stage::Canary,
        ..part()
    };
    let faulty = Once {
        fault: Some("trap"),
        ..Once::default()
    };
    let due = |node: &Rollouts| node.state().due(false, now());
    let speaks = async |node: &Rollouts, turns: i64| {
        for n in 0..turns {
            node.note(canary, rule(), ConversationId::from_raw(n), &faulty);
        }
        assert_eq!(due(node), [canary]);
        node.flush(false).await.expect("told and heard");
        assert_eq!(due(node), [], "nothing is new");
    };
    speaks(&one, 12).await;
    assert!(one.state().tripped.is_empty(), "12 turns show nothing");
    // Whoever comes last hears of all that came before.
    speaks(&other, 12).await;
    let tripped = other.state().tripped.get(&canary).cloned();
    let why = tripped.expect("12 here and 12 there");
    assert!(why.contains("24 of 24 turns"), "{why}");
}

#[tokio::test]
async fn what_fails_on_an_event_again_and_again_while_that_waits_failed_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (db, keyring) = database(&folder).await;
    let node = node(&db, &keyring, 1).await;
    let is_first = |event| node.is_first_failure(part(), EventId::from_raw(event));
    assert!(is_first(1) && !is_first(1) && is_first(2));
    // Not remembered for ever.
    node.flush(false).await.expect("told");
    assert!(!is_first(1));
    node.flush(true).await.expect("told");
    assert!(is_first(1));
}

#[tokio::test]
async fn what_two_nodes_see_takes_a_version_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (db, keyring) = database(&folder).await;
    let (one, other) = (node(&db, &keyring, 1).await, node(&db, &keyring, 2).await);

    // Whoever does well is not asked every second.
    other.sees(500, None);
    other.flush(false).await.expect("said");
    let mut tx = db.read().await.expect("a transaction");
    let said = plugin_health::by_node(&mut tx, part().tenant, &part()).await;
    assert!(said.expect("it reads").is_empty());
    drop(tx);
    other.flush(true).await.expect("said");

    one.sees(1, Some("trap"));
    one.flush(false).await.expect("heard");
    one.sees(11, Some("trap"));
    one.flush(false).await.expect("heard");
    assert_eq!(one.verdict(), None, "12 turns, and the other's were before");
    let third = node(&db, &keyring, 3).await;
    third.sees(12, Some("trap"));
    third.flush(false).await.expect("said");
    assert_eq!(
        third.verdict(),
        None,
        "12 turns here, and the rest were before"
    );
    one.flush(false).await.expect("heard");
    let why = one.verdict().expect("12 here and 12 there");
    assert!(why.contains("24 of the last 24 turns"), "{why}");
}
