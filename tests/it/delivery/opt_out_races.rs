//! Opt-outs against claims, a thousand times: on PostgreSQL of two nodes, each with a number that writes to the same
//! person. Nothing to that person begins later than two seconds after the opt-out was committed (promise 4). In half of
//! the races the person turns out to be somebody whom we know by another contact, and it is that one who opts out.

use std::sync::mpsc;
use std::time::Duration;

use vestibule::delivery::{DeliveryConfig, Monotonic};
use vestibule::domain::{
    Bucket, ConversationId, Draft, DraftClass, NumberId, OutboxId, OutboxState,
};
use vestibule_tests::{Kind, TestDatabase, for_each_database, until};

use super::gates::says_stop;
use super::ground::{Ground, Node};
use super::merges::merge;

const RACES: i64 = 1_000;
const PROMISE: Duration = Duration::from_secs(2);

/// A node, its ground, and the number in its buckets that it writes from.
struct Side {
    ground: Ground,
    node: Node,
    number: NumberId,
    /// Between a person's id and their conversation's with this number.
    by: i64,
}

impl Side {
    fn draft(&self, person: i64) -> Draft {
        Draft {
            number: self.number,
            conversation: ConversationId::from_raw(person + self.by),
            ..self.ground.template(person, DraftClass::Utility)
        }
    }
}

fn person(race: i64) -> i64 {
    200_000 + race
}

/// The contact that a person is known by as well: half of them have the lower id.
fn other_contact(race: i64) -> i64 {
    match race / 12 % 2 {
        0 => person(race) + 100_000,
        _ => person(race) - 100_000,
    }
}

/// One node on SQLite, two on PostgreSQL.
async fn sides(database: &TestDatabase) -> Vec<Side> {
    let nodes = match database.kind {
        Kind::Sqlite => 1,
        Kind::Postgres => 2,
    };
    let people = person(0)..=person(RACES - 1);
    let mut sides = Vec::new();
    for n in 0..nodes {
        let ground = Ground::bare(database, 256 / nodes).await;
        if n == 0 {
            ground.add_people(people.clone()).await;
            for first in [other_contact(0), other_contact(12)] {
                ground.add_people(first..=first + RACES).await;
            }
        }
        let buckets = ground.take_buckets().await;
        let number = (1..)
            .map(NumberId::from_raw)
            .find(|number| buckets.leases.contains_key(&Bucket::of(*number)))
            .expect("some number is in some bucket");
        let by = i64::try_from(n).expect("few") * 1_000_000;
        ground.add_conversations(people.clone(), number, by).await;
        let node = ground.start_owning(buckets, DeliveryConfig::default());
        sides.push(Side {
            ground,
            node,
            number,
            by,
        });
    }
    sides
}

/// What happens between a claim and its POST in a race, by turns.
#[derive(Debug, Clone, Copy)]
enum Between {
    /// So much time passes.
    Passes(Duration),
    /// The opt-out is committed, and then so much time passes.
    StopAndPasses(Duration),
}

fn between(race: i64) -> Between {
    match race % 6 {
        0 => Between::Passes(Duration::ZERO),
        1 => Between::Passes(Duration::from_millis(900)),
        2 => Between::Passes(Duration::from_secs(3)),
        3 => Between::StopAndPasses(Duration::ZERO),
        4 => Between::StopAndPasses(Duration::from_millis(1_100)),
        _ => Between::StopAndPasses(Duration::from_secs(3)),
    }
}

/// Sets what the next claim of this side meets; whoever drops the sender lets it go on.
fn set_gate(side: &Side, what: Between) -> Option<mpsc::Sender<()>> {
    let stopwatch = side.ground.monotonic.clone();
    let (stopped, stop) = mpsc::channel::<()>();
    match what {
        Between::Passes(time) => {
            side.ground.gate.at_next(move || stopwatch.advance(time));
            None
        }
        Between::StopAndPasses(time) => {
            side.ground.gate.at_next(move || {
                let _dropped = tokio::task::block_in_place(|| stop.recv());
                stopwatch.advance(time);
            });
            Some(stopped)
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    latest: Duration,
}

async fn race(sides: &[Side], race: i64, tally: &mut Tally) {
    let person = person(race);
    let gates: Vec<_> = sides
        .iter()
        .map(|side| set_gate(side, between(race)))
        .collect();
    let mut rows: Vec<OutboxId> = Vec::new();
    for side in sides {
        rows.push(side.ground.commit_one(side.draft(person)).await);
        side.node.wakeups.outbox.notify_one();
    }
    // Reads, to come a little later each time, over the time that a claim takes.
    for _ in 0..race % 7 {
        sides[0].ground.row(rows[0]).await;
    }
    if race / 6 % 2 == 0 {
        says_stop(&sides[0].ground, person).await;
    } else {
        merge(&sides[0].ground, person, other_contact(race)).await;
        says_stop(&sides[0].ground, other_contact(race)).await;
    }
    let stopped: Vec<Duration> = sides
        .iter()
        .map(|side| side.ground.monotonic.now())
        .collect();
    drop(gates);
    for ((side, row), stopped) in sides.iter().zip(rows).zip(stopped) {
        let state = ended(side, row).await;
        let posts = side.ground.graph.posted();
        let of_row = posts.iter().filter(|post| post.outbox == Some(row));
        let begun: Vec<Duration> = of_row.map(|post| post.at.saturating_sub(stopped)).collect();
        assert_eq!(
            begun.len(),
            usize::from(state == OutboxState::Accepted),
            "race {race}: {state:?}"
        );
        match begun.first() {
            None => tally.refused += 1,
            Some(after) => {
                tally.accepted += 1;
                tally.latest = tally.latest.max(*after);
                assert!(
                    *after <= PROMISE,
                    "race {race}: a POST began {after:?} after the opt-out"
                );
            }
        }
    }
}

async fn ended(side: &Side, row: OutboxId) -> OutboxState {
    until(&format!("{row} is sent or refused"), async || {
        let state = side.ground.row(row).await.state;
        matches!(state, OutboxState::Accepted | OutboxState::Refused).then_some(state)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_begins_two_seconds_after_an_opt_out_on_any_node() {
    for_each_database(async |database| {
        let sides = sides(&database).await;
        let mut tally = Tally::default();
        for n in 0..RACES {
            race(&sides, n, &mut tally).await;
        }
        eprintln!("{RACES} races: {tally:?}");
        // Both must win often, or nothing raced.
        let few = RACES as usize / 20;
        assert!(
            tally.accepted > few && tally.refused > few,
            "no race: {tally:?}"
        );
        for side in sides {
            side.node.stop().await;
        }
    })
    .await;
}
