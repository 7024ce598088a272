//! Keepers that share the buckets of one database, and what happens to them.

use std::collections::BTreeSet;

use vestibule::domain::Bucket;
use vestibule::storage::buckets::{self, Lease};
use vestibule::storage::{Db, nodes};
use vestibule_tests::{Kind, TestDatabase, for_each_database, until};

use super::ground::{LONG, Member, table, until_shared};

#[tokio::test]
async fn nodes_share_the_buckets_and_take_what_one_gives_back() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let a = Member::start(&db, "a", LONG).await;
    assert_eq!(a.leases().len(), 256, "owned from the first moment");
    let b = Member::start(&db, "b", LONG).await;
    until_shared(&db, &[&a, &b], 128..=128).await;
    let c = Member::start(&db, "c", LONG).await;
    until_shared(&db, &[&a, &b, &c], 84..=86).await;
    b.end().await;
    until_shared(&db, &[&a, &c], 128..=128).await;
    // Its lease would last for ever: only its life line can tell.
    c.die().await;
    until_shared(&db, &[&a], 256..=256).await;
    a.end().await;
    db.close().await;
}

#[tokio::test]
async fn a_bucket_that_is_given_up_is_kept_until_what_is_under_way_in_it_ends() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let a = Member::start(&db, "a", LONG).await;
    // Half of the buckets will be given up, the highest ones.
    let busy = Bucket::from_raw(255).expect("a bucket");
    let work = a.under_way.begin(busy);
    let b = Member::start(&db, "b", LONG).await;
    until("all the others have moved", async || {
        (b.leases().len() == 127).then_some(())
    })
    .await;
    until_renewed(&database).await;
    assert_eq!(
        owner(&db, busy).await,
        a.slot(&db).await,
        "its send is at Meta"
    );
    assert!(
        a.owned.borrow().lease(busy).is_none(),
        "nothing begins in it"
    );
    drop(work);
    until_shared(&db, &[&a, &b], 128..=128).await;
    a.end().await;
    b.end().await;
    db.close().await;
}

async fn owner(db: &Db, bucket: Bucket) -> u16 {
    let leases = table(db).await;
    let lease = leases.iter().find(|(lease, _)| lease.bucket == bucket);
    let (_, slot) = lease.expect("a row for every bucket");
    u16::try_from(*slot).expect("somebody's")
}

#[tokio::test]
async fn a_command_that_runs_takes_no_share() {
    for_each_database(async |database| {
        let db = database.open().await;
        let a = Member::start(&db, "a", LONG).await;
        let command = format!("{}for long", nodes::VERB);
        let command = nodes::lease_slot(&db, &command, LONG).await;
        let _lives = command.expect("a database").expect("a slot");
        let mut owned = a.owned.clone();
        owned.mark_unchanged();
        until_renewed(&database).await;
        assert!(!owned.has_changed().expect("a running keeper"));
        assert_eq!(a.leases().len(), 256);
        a.end().await;
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_bucket_that_is_ours_by_an_answer_we_never_got_is_worked_for() {
    for_each_database(async |database| {
        let db = database.open().await;
        let a = Member::start(&db, "a", LONG).await;
        let slot = a.slot(&db).await;
        // Its slot takes a bucket, and the keeper's memory is not told.
        let given = give_away(&db, &a, 255, slot, "a").await;
        until_shared(&db, &[&a], 256..=256).await;
        assert_eq!(a.leases()[&given.bucket], given.epoch);
        a.end().await;
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_bucket_that_another_took_is_not_worked_for_any_more() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let a = Member::start(&db, "a", LONG).await;
    // By name a verb, so that no share is due to it.
    let name = format!("{}that takes a bucket", nodes::VERB);
    let other = nodes::lease_slot(&db, &name, LONG).await;
    let other = other.expect("a database").expect("a slot");
    let given = give_away(&db, &a, 7, other.slot.number, &name).await;
    until("it has let go of the bucket", async || {
        (!a.leases().contains_key(&given.bucket)).then_some(())
    })
    .await;
    assert_eq!(a.leases().len(), 255);
    a.end().await;
    db.close().await;
}

/// Moves one bucket from a keeper's slot to a slot, behind the keeper's back.
async fn give_away(db: &Db, from: &Member, bucket: i64, slot: u16, holder: &str) -> Lease {
    let bucket = Bucket::from_raw(bucket).expect("a bucket");
    until("nobody was faster", async || {
        let epoch = *from.leases().get(&bucket)?;
        let lease = Lease { bucket, epoch };
        buckets::release(db, &[lease]).await.expect("released");
        let taken = buckets::take(db, slot, holder, 1).await.expect("asked");
        let given = taken.into_iter().find(|lease| lease.bucket == bucket)?;
        // The keeper's memory is of no use here: it may have looked in between.
        assert!(given.epoch > epoch);
        Some(given)
    })
    .await
}

#[tokio::test]
async fn nothing_is_taken_for_a_slot_that_is_somebody_elses_by_now() {
    for_each_database(async |database| {
        let db = database.open().await;
        let slot = nodes::lease_slot(&db, "before", LONG).await;
        let slot = slot.expect("a database").expect("a slot").slot.number;
        let freed = nodes::free_slot(&db, slot, "before").await;
        assert!(freed.expect("a database"));
        until(
            "its life line is gone, and the slot is leased",
            async || {
                let now = nodes::lease_slot(&db, "now", LONG)
                    .await
                    .expect("a database");
                (now.expect("a slot").slot.number == slot).then_some(())
            },
        )
        .await;
        let taken = buckets::take(&db, slot, "before", 256).await;
        assert_eq!(taken.expect("asked"), []);
        let taken = buckets::take(&db, slot, "now", 256).await;
        assert_eq!(taken.expect("asked").len(), 256);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_keeper_whose_slot_was_freed_begins_again() {
    for_each_database(async |database| {
        let db = database.open().await;
        let a = Member::start(&db, "a", LONG).await;
        let epochs = a.leases();
        let freed = nodes::free_slot(&db, a.slot(&db).await, "a").await;
        assert!(freed.expect("a database"));
        until("it owns everything again, under new epochs", async || {
            let owned = a.leases();
            let is_new = |(bucket, epoch): (&Bucket, &i64)| epochs[bucket] < *epoch;
            (owned.len() == 256 && owned.iter().all(is_new)).then_some(())
        })
        .await;
        until_shared(&db, &[&a], 256..=256).await;
        a.end().await;
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn buckets_that_could_not_be_released_are_released_later() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let a = Member::start(&db, "a", LONG).await;
    // A commit under way in the last bucket holds up the release, and the release's session ends meanwhile.
    let mut commit = db.begin().await.expect("a transaction");
    let (lease, _) = table(&db).await[255];
    buckets::fence(&mut commit, &[lease])
        .await
        .expect("still a's");
    let b = Member::start(&db, "b", LONG).await;
    until("the release was cut off", async || {
        let cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'
                AND query LIKE 'UPDATE bucket_lease SET slot = -1%'";
        (database.count(cut).await > 0).then_some(())
    })
    .await;
    commit.commit().await.expect("a commit");
    until_shared(&db, &[&a, &b], 128..=128).await;
    a.end().await;
    b.end().await;
    db.close().await;
}

#[tokio::test]
async fn when_every_life_line_breaks_nobody_is_taken_for_dead() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let (a, b) = (
        Member::start(&db, "a", LONG).await,
        Member::start(&db, "b", LONG).await,
    );
    until_shared(&db, &[&a, &b], 128..=128).await;
    let before = table(&db).await;
    let cut = database
        .count(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks
             WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    assert_eq!(cut, 2);
    until("both have a life line again", async || {
        let mut tx = db.read().await.expect("a transaction");
        let held = nodes::held_life_lines(&mut tx).await.expect("locks");
        (held.len() == 2).then_some(())
    })
    .await;
    until_renewed(&database).await;
    assert_eq!(table(&db).await, before, "no bucket changed its owner");
    a.end().await;
    b.end().await;
    db.close().await;
}

/// Waits until the keeper "a" has renewed its lease several times: time as keepers count it.
async fn until_renewed(database: &TestDatabase) {
    let mut seen = BTreeSet::new();
    until("the keeper has renewed several times", async || {
        let expiry = database.count("SELECT expires_at FROM node_slot WHERE holder = 'a'");
        seen.insert(expiry.await);
        (seen.len() > 5).then_some(())
    })
    .await;
}
