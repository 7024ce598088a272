//! Sends that are claimed in the commit that writes them, with the test in the place of the turns' commit.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use vestibule::domain::{Bucket, ContactId, Draft, OutboxId, OutboxState};
use vestibule::outbox::{AtOnce as _, Reserved};
use vestibule::ownership::{OwnedBuckets, Wakeups};
use vestibule::storage::outbox::NewSend;
use vestibule::storage::{Tx, buckets, outbox, people};
use vestibule_tests::{for_each_database, until};

use super::gates::says_stop;
use super::ground::{Ground, NUMBER, Node};

/// A commit under way: its rows are written, and nothing is decided yet about what becomes of them.
struct Commit {
    reserved: Box<dyn Reserved>,
    tx: Tx,
    id: OutboxId,
    went: bool,
    /// Told of what the node does not know of.
    wakeups: Arc<Wakeups>,
}

async fn write(ground: &Ground, node: &Node, draft: Draft) -> Commit {
    let mut sends = ground.cleared(vec![draft]);
    let id = sends[0].draft.id;
    let mut reserved = reserve(node, &sends).await;
    let owned: OwnedBuckets = OwnedBuckets::clone(&node.owned.borrow());
    let leases = owned.leases_of([Bucket::of(NUMBER)]).expect("owned");
    let mut tx = ground.db.begin().await.expect("a transaction");
    buckets::fence(&mut tx, &leases).await.expect("ours");
    let contacts: Vec<ContactId> = reserved.rows().iter().map(|r| r.draft.contact).collect();
    let consent = people::lock_consent_all_tenants(&mut tx, &contacts).await;
    let consent = consent.expect("consent");
    let going = reserved
        .claim(&mut tx, &HashSet::from([id]), &leases, &consent)
        .await;
    for one in going.expect("decided") {
        assert_eq!(one.id, id);
        sends[0].claimed_at = Some(one.at);
    }
    let rows = outbox::insert_all_tenants(&mut tx, sends).await;
    let went = rows.expect("inserted")[0].state == OutboxState::Claimed;
    Commit {
        reserved,
        tx,
        id,
        went,
        wakeups: node.wakeups.clone(),
    }
}

async fn reserve(node: &Node, sends: &[NewSend]) -> Box<dyn Reserved> {
    let rows = sends.iter().map(NewSend::row).collect();
    node.claims.reserve(rows).await
}

/// A node that has seen what its buckets hold: from then on sends may go at once.
async fn started(ground: &Ground) -> Node {
    let node = ground.start().await;
    until_free(ground, &node).await;
    node
}

/// Waits until a send may go at once: an accepted row is seen a moment before its conversation is free again.
async fn until_free(ground: &Ground, node: &Node) {
    until("something may go at once", async || {
        let sends = ground.cleared(vec![ground.reply(101, "may I?")]);
        let reserved = reserve(node, &sends).await;
        let may = !reserved.rows().is_empty();
        reserved.committed();
        may.then_some(())
    })
    .await;
}

impl Commit {
    async fn end(self) -> OutboxId {
        self.tx.commit().await.expect("a commit");
        let is_known = !self.reserved.rows().is_empty();
        self.reserved.committed();
        if !is_known {
            self.wakeups.outbox.notify_one();
        }
        self.id
    }
}

#[tokio::test]
async fn a_reply_goes_with_the_commit_that_writes_it() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = started(&ground).await;
        let commit = write(&ground, &node, ground.reply(101, "hi")).await;
        assert!(commit.went, "it is written as claimed");
        let id = commit.end().await;
        let row = ground.until_state(id, OutboxState::Accepted).await;
        assert_eq!((row.attempts, ground.graph.posted().len()), (1, 1));
        // And the next one, when the first is done.
        until_free(&ground, &node).await;
        let commit = write(&ground, &node, ground.reply(101, "again")).await;
        assert!(commit.went);
        let id = commit.end().await;
        ground.until_state(id, OutboxState::Accepted).await;
        assert_eq!(ground.graph.posted().len(), 2);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_opt_out_since_the_draft_is_seen_by_the_commit() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = started(&ground).await;
        let draft = ground.reply(101, "hi");
        says_stop(&ground, 101).await;
        let commit = write(&ground, &node, draft).await;
        assert!(!commit.went);
        let id = commit.end().await;
        let row = ground.until_state(id, OutboxState::Refused).await;
        assert_eq!(row.reason, "replies_stopped");
        assert_eq!(ground.graph.posted().len(), 0);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_waits_in_the_conversation_goes_first() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = started(&ground).await;
        // Offered in the moment before: the node may not have looked at it yet.
        let first = ground.commit(vec![ground.reply(101, "first")]).await;
        let first_id = first[0].draft.id;
        node.intake.offer(first);
        let second = write(&ground, &node, ground.reply(101, "second")).await;
        let second = second.end().await;
        ground.until_state(second, OutboxState::Accepted).await;
        ground.until_state(first_id, OutboxState::Accepted).await;
        assert_eq!(ground.graph.texts(), ["first", "second"]);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_was_not_answered_is_sent_once_if_it_was_one() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = started(&ground).await;
        let commit = write(&ground, &node, ground.reply(101, "hi")).await;
        assert!(commit.went);
        commit.tx.commit().await.expect("a commit");
        drop(commit.reserved);
        let row = ground.until_state(commit.id, OutboxState::Accepted).await;
        assert_eq!(row.attempts, 1);
        assert_eq!(ground.graph.posted().len(), 1);
        // This one is rolled back, and keeps nobody waiting for ever.
        until_free(&ground, &node).await;
        let commit = write(&ground, &node, ground.reply(101, "never")).await;
        assert!(commit.went);
        drop(commit.tx);
        drop(commit.reserved);
        let next = write(&ground, &node, ground.reply(101, "next")).await;
        let next = next.end().await;
        ground.until_state(next, OutboxState::Accepted).await;
        assert_eq!(ground.graph.posted().len(), 2);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_lost_its_race_is_forgotten() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = started(&ground).await;
        let sends = ground.cleared(vec![ground.reply(101, "lost")]);
        let reserved = reserve(&node, &sends).await;
        assert_eq!(reserved.rows().len(), 1);
        // The same conversation: one at a time.
        let also = ground.cleared(vec![ground.reply(101, "also")]);
        assert_eq!(reserve(&node, &also).await.rows().len(), 0);
        reserved.committed();
        let commit = write(&ground, &node, ground.reply(101, "won")).await;
        assert!(commit.went);
        let id = commit.end().await;
        ground.until_state(id, OutboxState::Accepted).await;
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_took_too_long_is_given_back_and_sent_once() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = started(&ground).await;
        let commit = write(&ground, &node, ground.reply(101, "hi")).await;
        assert!(commit.went);
        ground.monotonic.advance(Duration::from_secs(3));
        let id = commit.end().await;
        let row = ground.until_state(id, OutboxState::Accepted).await;
        assert_eq!((row.attempts, ground.graph.posted().len()), (1, 1));
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_that_ends_sends_what_it_let_go() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = started(&ground).await;
        let commit = write(&ground, &node, ground.reply(101, "hi")).await;
        assert!(commit.went);
        let claims = node.claims.clone();
        let ends = tokio::spawn(node.stop());
        let id = commit.end().await;
        ends.await.expect("a clean end");
        assert_eq!(ground.row(id).await.state, OutboxState::Accepted);
        let sends = ground.cleared(vec![ground.reply(102, "too late")]);
        let rows = sends.iter().map(NewSend::row).collect();
        assert_eq!(claims.reserve(rows).await.rows().len(), 0);
    })
    .await;
}
