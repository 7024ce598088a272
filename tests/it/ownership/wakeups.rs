//! NOTIFY carries a bell from one node to another.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use vestibule::ownership::Wakeups;
use vestibule_tests::{Kind, TestDatabase};

#[tokio::test]
async fn a_body_for_another_node_wakes_it() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let stop = CancellationToken::new();
    let (here, there) = (Arc::<Wakeups>::default(), Arc::<Wakeups>::default());
    let carrying =
        [&here, &there].map(|node| tokio::spawn(node.clone().carry(db.clone(), stop.clone())));
    // Who does not listen yet hears nothing: it is told until it does.
    vestibule_tests::until("the other node's bell rings", async || {
        here.raw_elsewhere();
        let heard = tokio::time::timeout(Duration::from_millis(50), there.raw.notified()).await;
        heard.ok()
    })
    .await;
    assert!(there.outbox.notified().now_or_never().is_none());
    assert!(there.setup.notified().now_or_never().is_none());
    stop.cancel();
    for task in carrying {
        task.await.expect("a clean end");
    }
    db.close().await;
}

#[tokio::test]
async fn a_word_that_this_node_does_not_know_rings_nothing() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let stop = CancellationToken::new();
    let (here, there) = (Arc::<Wakeups>::default(), Arc::<Wakeups>::default());
    let carrying =
        [&here, &there].map(|node| tokio::spawn(node.clone().carry(db.clone(), stop.clone())));
    vestibule_tests::until("the unknown word was said while it listened", async || {
        let said = vestibule::storage::notify::send(&db, "a word of tomorrow").await;
        said.expect("a database");
        here.raw_elsewhere();
        let heard = tokio::time::timeout(Duration::from_millis(50), there.raw.notified()).await;
        heard.ok()
    })
    .await;
    assert!(there.outbox.notified().now_or_never().is_none());
    assert!(there.setup.notified().now_or_never().is_none());
    stop.cancel();
    for task in carrying {
        task.await.expect("a clean end");
    }
    db.close().await;
}
