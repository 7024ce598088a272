//! Which slot a node or a command gets.

use std::time::Duration;

use vestibule::domain::Timestamp;
use vestibule::storage::{Db, nodes};
use vestibule_tests::{Kind, TestDatabase, for_each_database, until};

use super::ground::LONG;

/// With a life line that is gone at once, as a killed process's.
async fn lease(db: &Db, holder: &str, ttl: Duration) -> nodes::Slot {
    let leased = nodes::lease_slot(db, holder, ttl).await;
    leased.expect("a database").expect("a free slot").slot
}

async fn now(db: &Db) -> Timestamp {
    let mut tx = db.read().await.expect("a transaction");
    nodes::database_now(&mut tx).await.expect("a time")
}

/// Leases a slot, says that its ids may reach so far, and gives it back.
async fn used_until(db: &Db, floor: Timestamp) -> nodes::Slot {
    let slot = lease(db, "earlier", LONG).await;
    let renewed = nodes::renew_slot(db, slot.number, "earlier", LONG, floor).await;
    assert!(renewed.expect("a database"));
    let freed = nodes::free_slot(db, slot.number, "earlier").await;
    assert!(freed.expect("a database"));
    slot
}

#[tokio::test]
async fn a_slot_whose_ids_reach_into_the_future_is_left_until_they_do_not() {
    for_each_database(async |database| {
        let db = database.open().await;
        let now = now(&db).await;
        let early = used_until(&db, now.plus(LONG)).await;
        let next = lease(&db, "next", LONG).await;
        assert_ne!(next.number, early.number);
        assert!(next.id_floor <= now, "its ids begin now");
        let freed = nodes::free_slot(&db, next.number, "next").await;
        assert!(freed.expect("a database"));
        until(
            "it is leased again: no slot is spent for nothing",
            async || {
                let again = lease(&db, "again", LONG).await;
                (again.number == next.number).then_some(())
            },
        )
        .await;
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn when_no_other_slot_is_left_the_one_with_the_nearest_future_is_taken() {
    for_each_database(async |database| {
        let db = database.open().await;
        let now = now(&db).await;
        let late = used_until(&db, now.plus(2 * LONG)).await;
        let soon = used_until(&db, now.plus(LONG)).await;
        assert_ne!(late.number, soon.number);
        for n in 3..=vestibule::domain::id::MAX_NODE {
            assert_eq!(lease(&db, "many", LONG).await.number, n);
        }
        let last = lease(&db, "last", LONG).await;
        assert_eq!((last.number, last.id_floor), (soon.number, now.plus(LONG)));
        lease(&db, "the very last", LONG).await;
        let none = nodes::lease_slot(&db, "one too many", LONG).await;
        assert!(none.expect("a database").is_none());
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_slot_is_not_renewed() {
    for_each_database(async |database| {
        let db = database.open().await;
        let slot = lease(&db, "slow", Duration::ZERO).await;
        until("its lease has run out", async || {
            let mut tx = db.read().await.expect("a transaction");
            let live = nodes::live_slots(&mut tx).await.expect("slots");
            live.is_empty().then_some(())
        })
        .await;
        let floor = now(&db).await;
        let renewed = nodes::renew_slot(&db, slot.number, "slow", LONG, floor).await;
        assert!(!renewed.expect("a database"));
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_hosts_slot_is_given_to_others_when_its_session_has_ended() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let lost = nodes::lease_slot(&db, "lost", Duration::ZERO).await;
    let lost = lost.expect("a database").expect("a free slot");
    let next = lease(&db, "next", LONG).await;
    assert_ne!(next.number, lost.slot.number);
    let slot = lost.slot.number;
    drop(lost);
    until("its slot is leased", async || {
        (lease(&db, "later", LONG).await.number == slot).then_some(())
    })
    .await;
    db.close().await;
}
