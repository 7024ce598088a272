//! Two nodes that find the same key of a plugin's memory absent: a row that is not there cannot be locked, so the
//! plugin's row of usage is, and the second sees what the first wrote.

use vestibule::domain::TenantId;
use vestibule::storage::kv::{self, KvKey, KvValue};
use vestibule_tests::{Kind, TestDatabase, until};

fn key() -> KvKey {
    KvKey {
        tenant: TenantId::from_raw(1),
        plugin: "counter".to_owned(),
        item: "all".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_to_an_absent_key_waits_and_sees_it() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let (first, second) = (database.open().await, database.open().await);
    let owners = [key().owner()];
    let mut tx = first.begin().await.expect("a transaction");
    let used = kv::lock_usage_all_tenants(&mut tx, &owners)
        .await
        .expect("locked");
    assert_eq!(used, [(key().owner(), 0)]);
    let later = tokio::spawn(async move {
        let mut tx = second.begin().await.expect("a transaction");
        let owners = [key().owner()];
        let used = kv::lock_usage_all_tenants(&mut tx, &owners)
            .await
            .expect("locked");
        let found = kv::read_all_tenants(&mut tx, &[key()], true).await;
        tx.commit().await.expect("a commit");
        second.close().await;
        (used, found.expect("read"))
    });
    until("the second waits for the first", async || {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        (database.count(waiting).await > 0).then_some(())
    })
    .await;
    let value = KvValue {
        value: b"1".to_vec(),
        version: 7,
        expires_at: 0,
    };
    kv::put_all_tenants(&mut tx, &[(key(), value.clone())])
        .await
        .expect("written");
    kv::set_usage_all_tenants(&mut tx, &[(key().owner(), 4)])
        .await
        .expect("counted");
    tx.commit().await.expect("a commit");
    let (used, found) = later.await.expect("the second ends");
    assert_eq!(used, [(key().owner(), 4)]);
    assert_eq!(found, [(key(), value)]);
    first.close().await;
}
