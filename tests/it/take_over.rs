//! Somebody takes a conversation over while the bot's turn runs: one of the two is first, and when it was the person,
//! nothing of the bot's is queued any more.

use std::collections::HashMap;

use vestibule::desk::{Asked, Change, Desk};
use vestibule::domain::{ConversationId, Owner, TenantId};
use vestibule::storage::{Ending, conversations};
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, settle, wait};

/// Races on each database; `VESTIBULE_RACES` asks for more.
const RACES: usize = 120;

fn races() -> usize {
    #[allow(
        clippy::disallowed_methods,
        reason = "how long to look for a race is whoever's who runs the test"
    )]
    let asked = std::env::var("VESTIBULE_RACES");
    asked.map_or(RACES, |races| races.parse().expect("a number of races"))
}

#[derive(Debug, Clone, Copy)]
struct Talk {
    id: ConversationId,
    tenant: TenantId,
}

fn customer(n: usize) -> String {
    format!("49151000{n:05}")
}

/// The conversations in the order of their customers' numbers.
async fn talks(database: &TestDatabase) -> Vec<Talk> {
    let rows = database
        .texts(
            "SELECT CAST(c.id AS TEXT) || ' ' || CAST(c.tenant AS TEXT) FROM conversation c JOIN contact p ON p.id = c.contact ORDER BY p.phone",
        )
        .await;
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).expect("a number");
    rows.iter()
        .map(|row| {
            let mut parts = row.split(' ');
            Talk {
                id: ConversationId::from_raw(number(parts.next())),
                tenant: TenantId::from_raw(number(parts.next())),
            }
        })
        .collect()
}

/// What a take-over left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// Messages that had had their turn.
    turns: i64,
    /// Sends of the conversation.
    sends: i64,
    /// Those of them that a claim has had.
    claimed: i64,
    /// Those that wait to be claimed.
    queued: i64,
    cancelled: i64,
}

async fn found(database: &TestDatabase) -> HashMap<ConversationId, Found> {
    let rows = database
        .texts(
            "SELECT CAST(c.id AS TEXT) || ' ' || CAST(c.done_seq AS TEXT) || ' ' || CAST(COUNT(o.id) AS TEXT)
                || ' ' || CAST(SUM(CASE WHEN o.attempts > 0 THEN 1 ELSE 0 END) AS TEXT)
                || ' ' || CAST(SUM(CASE WHEN o.state = 0 THEN 1 ELSE 0 END) AS TEXT)
                || ' ' || CAST(SUM(CASE WHEN o.state = 6 THEN 1 ELSE 0 END) AS TEXT)
             FROM conversation c LEFT JOIN outbox o ON o.conversation = c.id GROUP BY c.id, c.done_seq",
        )
        .await;
    let parsed = rows.iter().map(|row| {
        let numbers: Vec<i64> = row
            .split(' ')
            .map(|part| part.parse().expect("a number"))
            .collect();
        let found = Found {
            turns: numbers[1],
            sends: numbers[2],
            claimed: numbers[3],
            queued: numbers[4],
            cancelled: numbers[5],
        };
        (ConversationId::from_raw(numbers[0]), found)
    });
    parsed.collect()
}

/// Takes a conversation over as the API does, and looks at once at what is left of the bot.
async fn take_over(desk: &Desk, database: &TestDatabase, talk: Talk) -> Found {
    let asked = Asked {
        tenant: talk.tenant,
        conversation: talk.id,
        by: "ana".into(),
        actor: None,
        ending: Ending::default(),
        owner_version: None,
    };
    let change = Change::Give {
        to: Owner::Agent("ana".into()),
        note: None,
    };
    let row = desk.change(&asked, change).await.expect("taken over");
    assert_eq!(row.owner, Owner::Agent("ana".into()));
    let all = found(database).await;
    // A turn that comes after the take-over moves the count of turns; it must queue nothing.
    Found {
        turns: row.done_seq,
        ..all[&talk.id]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_turn_that_began_before_a_take_over_queues_nothing_after_it() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        let number = &town.business.numbers[0].phone_number_id;
        let say = |n: usize, text: &str| {
            let customer = town
                .meta
                .customer(number, &customer(n))
                .expect("a customer");
            customer.text(text).expect("sent");
        };
        let db = database.open().await;
        let races = races();
        (0..races).for_each(|n| say(n, "hello"));
        town.meta.webhooks_idle().await;
        settle(&db).await;
        let talks = talks(&database).await;
        assert_eq!(talks.len(), races);

        let desk = &node.followers.desk;
        let mut then = Vec::new();
        for (n, talk) in talks.iter().enumerate() {
            say(n, "are you there?");
            // Reads, to come at another moment of the turn and of the claim each time.
            for _ in 0..n % 60 {
                let mut tx = db.read().await.expect("a transaction");
                conversations::load_all_tenants(&mut tx, &[talk.id])
                    .await
                    .expect("read");
            }
            then.push(take_over(desk, &database, *talk).await);
        }
        town.meta.webhooks_idle().await;
        settle(&db).await;

        let now = found(&database).await;
        for (n, (talk, then)) in talks.iter().zip(&then).enumerate() {
            let now = now[&talk.id];
            assert_eq!(
                then.queued, 0,
                "conversation {n}: the take-over withdrew what waited"
            );
            assert_eq!(
                (now.sends, now.claimed),
                (then.turns, then.claimed),
                "conversation {n}: one send for each turn before the take-over; none is written or claimed after it"
            );
        }
        let before = then.iter().filter(|found| found.turns == 2).count();
        let cancelled: i64 = then.iter().map(|found| found.cancelled).sum();
        eprintln!("the bot was first {before} of {races} times; {cancelled} sends were cancelled");
        assert!(
            (1..races).contains(&before),
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

/// Timers of the bot's fall due while somebody takes the conversations over, one after the other: whichever is first,
/// nothing that a timer says is written or claimed after the take-over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_timer_that_falls_due_in_a_take_over_says_nothing_after_it() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::CLOCKWORK, &["kv"]).await;
        let node = town.node("node").await;
        let number = &town.business.numbers[0].phone_number_id;
        let db = database.open().await;
        let races = races();
        for n in 0..races {
            let customer = town
                .meta
                .customer(number, &customer(n))
                .expect("a customer");
            customer.text("remind 1").expect("sent");
        }
        let fired = "SELECT COUNT(*) FROM inbound_event WHERE kind = 5";
        let known = "SELECT COUNT(*) FROM conversation";
        wait::until(
            "the first timer is due and everybody is known",
            async || {
                let known = usize::try_from(database.count(known).await);
                (known == Ok(races) && database.count(fired).await > 0).then_some(())
            },
        )
        .await;
        let talks = talks(&database).await;
        let desk = &node.followers.desk;
        let mut then = Vec::new();
        for talk in &talks {
            then.push(take_over(desk, &database, *talk).await);
        }
        town.meta.webhooks_idle().await;
        settle(&db).await;
        let now = found(&database).await;
        for (n, (talk, then)) in talks.iter().zip(&then).enumerate() {
            let now = now[&talk.id];
            assert_eq!(then.queued, 0, "conversation {n}: withdrawn");
            assert_eq!(
                (now.sends, now.claimed),
                (then.sends, then.claimed),
                "conversation {n}: none is written or claimed after the take-over"
            );
        }
        let timers = database.count("SELECT COUNT(*) FROM timer").await;
        assert_eq!(timers, 0, "a take-over ends timers");
        let waits = database
            .count("SELECT COUNT(*) FROM inbound_event WHERE kind = 5 AND state = 0")
            .await;
        assert_eq!(waits, 0, "every timer that was due had its turn");
        db.close().await;
        node.end().await;
    })
    .await;
}
