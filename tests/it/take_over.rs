//! Somebody takes a conversation over while the bot's turn runs: one of the two is first, and when it was the person,
//! nothing of the bot's is queued any more.

use std::collections::HashMap;
use std::sync::Arc;

use vestibule::clock::SystemClock;
use vestibule::domain::{
    Clock, ConversationId, IdGenerator, NumberId, Owner, OwnerChange, TenantId,
};
use vestibule::storage::{Db, conversations, nodes, outbox};
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, settle};

const CONVERSATIONS: usize = 120;

#[derive(Debug, Clone, Copy)]
struct Talk {
    id: ConversationId,
    tenant: TenantId,
    number: NumberId,
}

fn customer(n: usize) -> String {
    format!("4915100000{n:03}")
}

/// The conversations in the order of their customers' numbers.
async fn talks(database: &TestDatabase) -> Vec<Talk> {
    let rows = database
        .texts(
            "SELECT CAST(c.id AS TEXT) || ' ' || CAST(c.tenant AS TEXT) || ' ' || CAST(c.number AS TEXT)
             FROM conversation c JOIN contact p ON p.id = c.contact ORDER BY p.phone",
        )
        .await;
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).expect("a number");
    rows.iter()
        .map(|row| {
            let mut parts = row.split(' ');
            Talk {
                id: ConversationId::from_raw(number(parts.next())),
                tenant: TenantId::from_raw(number(parts.next())),
                number: NumberId::from_raw(number(parts.next())),
            }
        })
        .collect()
}

/// What the commit of a take-over found.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Messages that had had their turn.
    turns: i64,
    /// Sends of the bot that were queued and are cancelled.
    cancelled: usize,
}

/// One commit: the new owner, and the end of what the bot had queued.
async fn take_over(db: &Db, ids: &IdGenerator, talk: Talk) -> Found {
    let now = SystemClock.now();
    let change = OwnerChange {
        from: Owner::Bot,
        to: Owner::Agent("ana".into()),
        reason: "take_over".into(),
        by: "ana".into(),
        note: None,
    };
    let mut tx = db.begin().await.expect("a transaction");
    let log = ids.next(now);
    conversations::change_owner(&mut tx, talk.tenant, talk.id, &change, log, now)
        .await
        .expect("changed")
        .expect("the conversation is there");
    let cancelled = outbox::cancel_bot(&mut tx, talk.tenant, talk.number, talk.id, now)
        .await
        .expect("cancelled");
    let row = conversations::load_all_tenants(&mut tx, &[talk.id])
        .await
        .expect("read");
    tx.commit().await.expect("a commit");
    Found {
        turns: row.first().expect("the conversation").done_seq,
        cancelled,
    }
}

/// How many sends each conversation has.
async fn sends(database: &TestDatabase) -> HashMap<ConversationId, i64> {
    let rows = database
        .texts("SELECT CAST(conversation AS TEXT) || ' ' || CAST(COUNT(*) AS TEXT) FROM outbox GROUP BY conversation")
        .await;
    let number = |text: &str| text.parse::<i64>().expect("a number");
    rows.iter()
        .filter_map(|row| row.split_once(' '))
        .map(|(id, count)| (ConversationId::from_raw(number(id)), number(count)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_turn_that_began_before_a_take_over_queues_nothing_after_it() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town
            .deployment
            .start_in_process("node", Arc::new(SystemClock))
            .await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let number = &town.business.numbers[0].phone_number_id;
        let say = |n: usize, text: &str| {
            let customer = town
                .meta
                .customer(number, &customer(n))
                .expect("a customer");
            customer.text(text).expect("sent");
        };
        let db = database.open().await;
        (0..CONVERSATIONS).for_each(|n| say(n, "hello"));
        town.meta.webhooks_idle().await;
        settle(&db).await;
        let talks = talks(&database).await;
        assert_eq!(talks.len(), CONVERSATIONS);

        let slot = nodes::lease_slot(&db, "test", std::time::Duration::from_secs(600)).await;
        let slot = slot.expect("a database").expect("a free slot").slot;
        let ids = IdGenerator::new(slot.number, slot.id_floor);
        let mut then = Vec::new();
        for (n, talk) in talks.iter().enumerate() {
            say(n, "are you there?");
            // Reads, to come at another moment of the turn each time.
            for _ in 0..n % 40 {
                let mut tx = db.read().await.expect("a transaction");
                conversations::load_all_tenants(&mut tx, &[talk.id])
                    .await
                    .expect("read");
            }
            then.push(take_over(&db, &ids, *talk).await);
        }
        town.meta.webhooks_idle().await;
        settle(&db).await;

        let sends = sends(&database).await;
        for (n, (talk, found)) in talks.iter().zip(&then).enumerate() {
            assert_eq!(
                sends[&talk.id], found.turns,
                "conversation {n}: one send for each turn before the take-over, none after it"
            );
        }
        let before = then.iter().filter(|found| found.turns == 2).count();
        let cancelled: usize = then.iter().map(|found| found.cancelled).sum();
        eprintln!(
            "the bot was first {before} of {CONVERSATIONS} times; {cancelled} sends were cancelled"
        );
        assert!(
            (1..CONVERSATIONS).contains(&before),
            "one of the two always won: nothing raced"
        );
        let unanswered = database
            .count("SELECT COUNT(*) FROM inbound_event WHERE kind = 1 AND state = 0")
            .await;
        assert_eq!(unanswered, 0, "every message had its turn");
        db.close().await;
        node.end().await;
    })
    .await;
}
