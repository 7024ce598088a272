//! Numbers have no gaps and no reader is overtaken, however transactions commit.

use std::collections::BTreeSet;
use std::time::Duration;

use vestibule::domain::{
    ConversationId, IdGenerator, StreamEvent, StreamKind, TenantId, Timestamp,
};
use vestibule::storage::stream::{self, Reach};
use vestibule::storage::{Db, buckets, nodes};
use vestibule_tests::{db, for_each_database};

const TENANTS: i64 = 3;
const WRITERS: i64 = 8;
const COMMITS: i64 = 25;

fn event(tenant: i64, subject: i64) -> StreamEvent {
    let conversation = ConversationId::from_raw(1);
    let (tenant, now) = (TenantId::from_raw(tenant), db::now());
    StreamEvent::new(tenant, conversation, StreamKind::MessageSent, now).about(subject)
}

/// Commits a few transactions, each of two events of every tenant; a third of them is rolled back.
async fn write(db: Db, writer: i64) {
    for n in 0..COMMITS {
        let mut tx = db.begin().await.expect("a transaction");
        for tenant in 1..=TENANTS {
            for part in 0..2 {
                tx.tell(event(tenant, writer * 1000 + n * 10 + part));
            }
        }
        tokio::task::yield_now().await;
        if n % 3 != 2 {
            tx.commit().await.expect("a commit");
        }
    }
}

/// Follows one tenant as a client does until it has `all`, and checks on the way that nothing comes late.
async fn follow(db: Db, tenant: i64, all: usize) -> Vec<i64> {
    let tenant = TenantId::from_raw(tenant);
    let (mut position, mut subjects) = (0, Vec::new());
    while subjects.len() < all {
        let mut tx = db.read().await.expect("a transaction");
        let (events, to) = stream::after(&mut tx, tenant, position, 7)
            .await
            .expect("read");
        for event in events {
            position += 1;
            assert_eq!(event.seq, position, "a number is missing or came late");
            subjects.push(event.event.subject);
        }
        assert_eq!(position, to);
        drop(tx);
        tokio::task::yield_now().await;
    }
    subjects
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_misses_nothing_while_many_commit() {
    for_each_database(async |database| {
        let db = database.open().await;
        let slot = nodes::lease_slot(&db, "test", Duration::from_secs(600)).await;
        let slot = slot.expect("a database").expect("a free slot").slot;
        let leases = buckets::take(&db, slot.number, "test", 256)
            .await
            .expect("leases");
        let first = *leases.iter().min().expect("the first bucket");
        let ids = IdGenerator::new(slot.number, slot.id_floor);
        let committed = (COMMITS - COMMITS / 3) * WRITERS * 2;
        let committed = usize::try_from(committed).expect("a count");
        let writers = (0..WRITERS).map(|writer| tokio::spawn(write(db.clone(), writer)));
        let writers: Vec<_> = writers.collect();
        let followers = (1..=TENANTS).map(|t| tokio::spawn(follow(db.clone(), t, committed)));
        let followers: Vec<_> = followers.collect();
        // Two sealers at once, as when a lease changes hands.
        let seal = async || {
            while !followers.iter().all(tokio::task::JoinHandle::is_finished) {
                let next = || ids.next(db::now());
                stream::seal_all_tenants(&db, first, next)
                    .await
                    .expect("sealed");
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(seal(), seal());
        for writer in writers {
            writer.await.expect("a writer ends");
        }
        for follower in followers {
            let subjects = follower.await.expect("a follower ends");
            let distinct: BTreeSet<i64> = subjects.iter().copied().collect();
            assert_eq!(
                distinct.len(),
                committed,
                "each event once, none of what was rolled back"
            );
        }
        assert_eq!(database.count("SELECT COUNT(*) FROM stream_batch").await, 0);
        let mut tx = db.read().await.expect("a transaction");
        let reach = stream::reach(&mut tx, TenantId::from_raw(1))
            .await
            .expect("read");
        let last = i64::try_from(committed).expect("a count");
        assert_eq!(reach, Reach { first: 1, last });
        drop(tx);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn whoever_lost_the_lease_seals_nothing() {
    for_each_database(async |database| {
        let db = database.open().await;
        let slot = nodes::lease_slot(&db, "test", Duration::from_secs(600)).await;
        let slot = slot.expect("a database").expect("a free slot").slot;
        let leases = buckets::take(&db, slot.number, "test", 256)
            .await
            .expect("leases");
        let first = *leases.iter().min().expect("the first bucket");
        buckets::release(&db, &[first]).await.expect("released");
        let mut tx = db.begin().await.expect("a transaction");
        tx.tell(event(1, 1));
        tx.commit().await.expect("a commit");
        let ids = IdGenerator::new(slot.number, slot.id_floor);
        let sealed = stream::seal_all_tenants(&db, first, || ids.next(Timestamp::ZERO)).await;
        assert!(sealed.is_err(), "{sealed:?}");
        assert_eq!(database.count("SELECT COUNT(*) FROM stream_block").await, 0);
        db.close().await;
    })
    .await;
}
