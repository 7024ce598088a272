//! Which slot a node or a command gets.

use std::time::Duration;

use vestibule::domain::Timestamp;
use vestibule::storage::{Db, buckets, nodes};
use vestibule_tests::{Kind, TestDatabase, for_each_database};

use super::ground::LONG;

async fn lease(db: &Db, holder: &str, ttl: Duration) -> nodes::Slot {
    let slot = nodes::lease_slot(db, holder, ttl).await;
    slot.expect("a database").expect("a free slot")
}

async fn free(db: &Db, slot: nodes::Slot, holder: &str) {
    let freed = nodes::free_slot(db, slot.number, holder).await;
    assert!(freed.expect("a database"), "it is the holder's");
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
    free(db, slot, "earlier").await;
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
        free(&db, next, "next").await;
        let again = lease(&db, "again", LONG).await;
        assert_eq!(again.number, next.number, "no slot is spent for nothing");
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
        assert_eq!(none.expect("a database"), None);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_slot_is_not_renewed() {
    for_each_database(async |database| {
        let db = database.open().await;
        let slot = lease(&db, "slow", Duration::ZERO).await;
        vestibule_tests::until("its lease has run out", async || {
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
async fn a_slot_whose_life_line_is_held_is_nobody_elses_and_does_not_make_anybody_wait() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    // A host that is lost: its lease ran out, its session stands.
    let lost = lease(&db, "lost", Duration::ZERO).await;
    let line = nodes::hold_life_line(&db, lost.number)
        .await
        .expect("asked");
    let line = line.expect("nobody else has it");
    let second = nodes::hold_life_line(&db, lost.number).await;
    assert!(second.expect("answered at once").is_none());
    let next = lease(&db, "next", Duration::ZERO).await;
    assert_ne!(next.number, lost.number);
    drop(line);
    vestibule_tests::until("its slot is given to others again", async || {
        let slot = lease(&db, "later", Duration::ZERO).await;
        (slot.number == lost.number).then_some(())
    })
    .await;
    db.close().await;
}

#[tokio::test]
async fn only_its_holder_gives_a_slot_back() {
    for_each_database(async |database| {
        let db = database.open().await;
        let slot = lease(&db, "one", LONG).await;
        buckets::take(&db, slot.number, "one", 7)
            .await
            .expect("buckets");
        // Whoever had the slot before, or believes that its holder is dead by what it read a moment ago.
        let freed = nodes::free_slot(&db, slot.number, "another").await;
        assert!(!freed.expect("asked"));
        let mut tx = db.read().await.expect("a transaction");
        let live = nodes::live_slots(&mut tx).await.expect("readable slots");
        let owners = buckets::all(&mut tx).await.expect("readable owners");
        drop(tx);
        let owned = owners
            .iter()
            .filter(|(_, owner)| *owner == i64::from(slot.number));
        assert_eq!((live.len(), owned.count()), (1, 7));
        free(&db, slot, "one").await;
        db.close().await;
    })
    .await;
}
