//! Locks on PostgreSQL: rows of one kind by id, and kinds in one order (`storage::claims`), so that attaching, turns and
//! claims never wait for each other in a circle. SQLite has one writer and nothing to order.

use serde_json::json;
use vestibule::domain::{Clock, ConversationId, DraftClass, OutboxState};
use vestibule::storage::outbox::{self, Move};
use vestibule::storage::{conversations, people};
use vestibule_tests::{Kind, TestDatabase, for_each_database, until};

use super::desk::{Desk, status, text};
use super::sends::{opened, put, queued, template};

pub(crate) async fn until_somebody_waits(database: &TestDatabase) {
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("somebody waits for a lock", async || {
        (database.count(waiting).await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn conversations_are_locked_in_the_order_of_their_ids_whatever_order_is_asked_for() {
    for_each_database(async |database| {
        if database.kind == Kind::Sqlite {
            return;
        }
        let desk = Desk::open(&database).await;
        let at = desk.ago(60);
        let say = |n: usize| {
            let phone = format!("4477009{n:05}");
            text(&format!("wamid.{n}"), Some(&phone), None, at, "hi")
        };
        let said: Vec<_> = (0..200).map(say).collect();
        let mut ids: Vec<ConversationId> = desk
            .hear(&said)
            .await
            .iter()
            .map(|event| event.conversation)
            .collect();
        ids.sort_unstable();
        let mut turn = desk.db.begin().await.expect("a transaction");
        let middle = &ids[100..101];
        conversations::lock_versions_all_tenants(&mut turn, middle)
            .await
            .expect("locked");
        let backwards: Vec<ConversationId> = ids.iter().rev().copied().collect();
        let db = desk.db.clone();
        let attaching = tokio::spawn(async move {
            let mut tx = db.begin().await.expect("a transaction");
            conversations::lock_all_tenants(&mut tx, &backwards).await
        });
        until_somebody_waits(&database).await;
        // Whoever waits for the middle has nothing behind it.
        let behind = "SELECT CAST(id AS TEXT) FROM conversation
            WHERE id IN (SELECT id FROM conversation ORDER BY id OFFSET 101) FOR UPDATE NOWAIT";
        assert_eq!(database.texts(behind).await.len(), 99);
        conversations::lock_versions_all_tenants(&mut turn, &ids[100..])
            .await
            .expect("nobody is in the way");
        turn.commit().await.expect("a commit");
        assert_eq!(
            attaching.await.expect("it ends").expect("locked").len(),
            200
        );
    })
    .await;
}

/// What a claim or a turn has locked already when the failure comes.
#[derive(Debug, Clone, Copy)]
enum First {
    Consent,
    Conversation,
}

#[tokio::test]
async fn a_failure_waits_for_consent_and_conversation_before_it_locks_its_send() {
    for (code, first) in [(131_050, First::Consent), (131_047, First::Conversation)] {
        for_each_database(async |database| {
            if database.kind == Kind::Sqlite {
                return;
            }
            let desk = Desk::open(&database).await;
            let talk = opened(&desk, &database).await;
            let what = template(DraftClass::Marketing);
            let sent = queued(&desk, &talk, what, 1).await.remove(0);
            put(&desk, &sent, OutboxState::Claimed, 0, "").await;
            let mut claim = desk.db.begin().await.expect("a transaction");
            match first {
                First::Consent => {
                    people::lock_consent_all_tenants(&mut claim, &[talk.contact])
                        .await
                        .expect("locked");
                }
                First::Conversation => {
                    conversations::lock_versions_all_tenants(&mut claim, &[talk.id])
                        .await
                        .expect("locked");
                }
            }
            let id = sent.draft.id.to_string();
            let failed = status(&id, "wamid.OUT", "failed", desk.ago(5), Some(code));
            let change = Move {
                from: OutboxState::Claimed,
                ..Move::of(&sent, OutboxState::Accepted)
            };
            let claiming = async {
                until_somebody_waits(&database).await;
                // A deadlock would be found and the loser tries again: look, rather than wait for one.
                let free = "SELECT CAST(id AS TEXT) FROM outbox FOR UPDATE NOWAIT";
                assert_eq!(database.texts(free).await.len(), 1, "{first:?}");
                let moved = outbox::move_all_tenants(&mut claim, &[change], desk.clock.now()).await;
                assert_eq!(moved.expect("nobody is in the way").len(), 1, "{first:?}");
                claim.commit().await.expect("a commit");
            };
            let failed = [json!({ "statuses": [failed] })];
            tokio::join!(claiming, desk.hear(&failed));
            let applied = "SELECT COUNT(*) FROM outbox WHERE receipt = 9 AND state = 2";
            assert_eq!(database.count(applied).await, 1);
        })
        .await;
    }
}
