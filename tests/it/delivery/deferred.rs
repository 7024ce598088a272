//! Sends that wait for an hour: out of everybody's way, withdrawn like others, decided again when they are due.

use std::time::Duration;

use vestibule::domain::{Clock, ConversationId, DraftClass, OutboxState, Owner, Timestamp};
use vestibule::policy::ConsentWord;
use vestibule::policy::limits::{Cap, CategoryRules, LimitRules, QuietHours};
use vestibule::storage::limits::{months_of, set_portfolio_limit};
use vestibule::storage::outbox::{self, deferred};
use vestibule_tests::{for_each_database, until};

use super::gates::{says, says_stop};
use super::ground::{Ground, NUMBER, Node, TENANT};

const DAY: Duration = Duration::from_secs(86_400);

/// Marketing is quiet for two days at least, wherever one is.
fn quiet_for_days(ground: &Ground) -> LimitRules {
    // 1970 began on a Thursday, and bit 0 is Monday.
    let today = (ground.clock.now().millis() / 86_400_000 + 3).rem_euclid(7);
    let open = (today + 4) % 7;
    let quiet = QuietHours {
        from: 0,
        to: 0,
        days: 0x7f & !(1 << open),
    };
    LimitRules {
        marketing: CategoryRules {
            quiet: Some(quiet),
            ..CategoryRules::default()
        },
        ..LimitRules::default()
    }
}

#[tokio::test]
async fn a_send_in_quiet_hours_waits_out_of_the_way_and_keeps_its_place() {
    for_each_database(async |database| {
        let mut ground = Ground::lay(&database).await;
        ground.limits = quiet_for_days(&ground);
        let node = ground.start().await;
        let to = [101, 101, 102, 103].map(|person| ground.template(person, DraftClass::Marketing));
        let [first, second, stopped, withdrawn] = offer(&ground, &node, to).await;
        for id in [first, second, stopped, withdrawn] {
            let row = ground.until_state(id, OutboxState::Deferred).await;
            assert_eq!(row.reason, "quiet_hours");
            assert!(row.due_at > ground.clock.now().plus(DAY));
        }
        // Nobody waits for it: not the person's answer, not another category.
        let reply = ground.reply(101, "hi");
        let update = ground.template(101, DraftClass::Utility);
        let [reply, update] = offer(&ground, &node, [reply, update]).await;
        ground.until_state(reply, OutboxState::Accepted).await;
        ground.until_state(update, OutboxState::Accepted).await;
        says_stop(&ground, 102).await;
        let conversation = ConversationId::from_raw(103);
        let mut tx = ground.db.begin().await.expect("a transaction");
        let row = outbox::find(&mut tx, TENANT, withdrawn)
            .await
            .expect("found")
            .expect("a row");
        let change = outbox::Move::of(&row, OutboxState::Cancelled);
        let moved = outbox::move_all_tenants(&mut tx, &[change], ground.clock.now()).await;
        assert_eq!(moved.expect("moved"), [withdrawn]);
        // A take-over finds what waits too; a client's it leaves.
        let owner = Owner::Agent("ana".into());
        let left = outbox::cancel_bot(
            &mut tx,
            TENANT,
            NUMBER,
            conversation,
            &owner,
            ground.clock.now(),
        );
        assert_eq!(left.await.expect("looked at"), 0);
        tx.commit().await.expect("a commit");
        let due = ground.row(first).await.due_at;
        ground.clock.set(due);
        node.wakeups.outbox.notify_one();
        ground.until_state(first, OutboxState::Accepted).await;
        ground.until_state(second, OutboxState::Accepted).await;
        let row = ground.until_state(stopped, OutboxState::Refused).await;
        assert_eq!(row.reason, "opted_out", "it was decided again");
        assert_eq!(ground.row(withdrawn).await.state, OutboxState::Cancelled);
        let order = ground.graph.posted();
        let place = |id| order.iter().position(|posted| posted.outbox == Some(id));
        assert!(place(first) < place(second), "{order:?}");
        node.stop().await;
    })
    .await;
}

/// A campaign of 100,000 that waits, and then is due, beside one reply.
#[tokio::test]
async fn a_hundred_thousand_deferred_sends_keep_no_reply_of_their_number_waiting() {
    for_each_database(async |database| {
        let mut ground = Ground::lay(&database).await;
        ground.throughput = 20;
        ground.limits = quiet_for_days(&ground);
        let node = ground.start().await;
        let [one] = offer(&ground, &node, [ground.template(110, DraftClass::Marketing)]).await;
        let due = ground.until_state(one, OutboxState::Deferred).await.due_at;
        // The others are like it; each has a conversation that is not there, which makes them end at their claim.
        database
            .execute(
                "INSERT INTO outbox (id, tenant, number, bucket, conversation, contact, turn, state, class, draft, due_at,
                    attempts, doubts, changed_at, wamid, receipt, error, reason, created_at, prev)
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                 SELECT id - i, tenant, number, bucket, conversation + i * 1000, contact + i * 1000, turn, state, class, draft, due_at,
                    attempts, doubts, changed_at, wamid, receipt, error, reason, created_at, prev
                 FROM outbox, n WHERE state = 7",
            )
            .await;
        let waiting = "SELECT COUNT(*) FROM outbox WHERE state = 7";
        assert_eq!(database.count(waiting).await, 100_001);
        let [reply] = offer(&ground, &node, [ground.reply(101, "while they wait")]).await;
        ground.until_state(reply, OutboxState::Accepted).await;
        ground.clock.set(due);
        node.wakeups.outbox.notify_one();
        until("some of them are queued", async || {
            (database.count(waiting).await < 100_001).then_some(())
        })
        .await;
        // Days have passed: an answer needs another message to answer.
        let wrote = format!("UPDATE conversation SET last_inbound_at = {} WHERE id = 101", due.millis());
        database.execute(wrote.leak()).await;
        let [reply] = offer(&ground, &node, [ground.reply(101, "while they go")]).await;
        // Time stands still until here: two seconds of the number's throughput may be before it.
        ground
            .pass_until(&node, Duration::from_millis(250), reply, OutboxState::Accepted)
            .await;
        assert!(database.count(waiting).await > 90_000);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn caps_and_limits_count_what_is_claimed() {
    for_each_database(async |database| {
        let mut ground = Ground::lay(&database).await;
        ground.limits.marketing.cap = Cap {
            per_day: Some(1),
            per_week: None,
        };
        ground.limits.utility.per_month = Some(2);
        let node = ground.start().await;
        let sends = [
            ground.template(101, DraftClass::Marketing),
            ground.template(101, DraftClass::Marketing),
            ground.template(102, DraftClass::Marketing),
        ];
        let [first, again, other] = offer(&ground, &node, sends).await;
        ground.until_state(first, OutboxState::Accepted).await;
        ground.until_state(other, OutboxState::Accepted).await;
        let row = ground.until_state(again, OutboxState::Refused).await;
        assert_eq!(row.reason, "person_cap");
        let updates = [101, 102, 103].map(|person| ground.template(person, DraftClass::Utility));
        let updates = offer(&ground, &node, updates).await;
        until("two went and one did not", async || {
            let mut states = Vec::new();
            for id in updates {
                let row = ground.row(id).await;
                states.push((row.state, row.reason));
            }
            states.sort_by_key(|(state, _)| state.code());
            let expected = [
                OutboxState::Accepted,
                OutboxState::Accepted,
                OutboxState::Refused,
            ];
            let got: Vec<OutboxState> = states.iter().map(|(state, _)| *state).collect();
            (got == expected && states[2].1 == "monthly_cap").then_some(())
        })
        .await;
        let month = vestibule::policy::limits::month_of(ground.clock.now());
        let mut tx = ground.db.read().await.expect("a transaction");
        let counts = months_of(&mut tx, TENANT, month).await.expect("counts");
        let counts: Vec<(i64, i64)> = counts.iter().map(|(key, n)| (key.class, *n)).collect();
        let (utility, marketing) = (DraftClass::Utility.code(), DraftClass::Marketing.code());
        assert_eq!(counts, [(utility, 2), (marketing, 2)]);
        node.stop().await;
    })
    .await;
}

/// Commits drafts and hands them on, as who commits them does.
async fn offer<const N: usize>(
    ground: &Ground,
    node: &Node,
    drafts: [vestibule::domain::Draft; N],
) -> [vestibule::domain::OutboxId; N] {
    let rows = ground.commit(drafts.into()).await;
    let ids: Vec<_> = rows.iter().map(|row| row.draft.id).collect();
    node.intake.offer(rows);
    ids.try_into().expect("as many as were given")
}

#[tokio::test]
async fn metas_messaging_limit_is_kept_over_everything_that_is_claimed() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        // Nobody has written for two days.
        ground.clock.advance(DAY * 2);
        let mut tx = ground.db.begin().await.expect("a transaction");
        set_portfolio_limit(&mut tx, TENANT, "p", 3, ground.clock.now())
            .await
            .expect("set");
        tx.commit().await.expect("a commit");
        let node = ground.start().await;
        let to = [101, 102, 103, 104, 105].map(|p| ground.template(p, DraftClass::Utility));
        let ids = offer(&ground, &node, to).await;
        let mut waiting = Vec::new();
        until("three went and two wait", async || {
            let (mut gone, mut deferred) = (0, Vec::new());
            for id in ids {
                match ground.row(id).await {
                    row if row.state == OutboxState::Accepted => gone += 1,
                    row if row.state == OutboxState::Deferred => deferred.push(row),
                    _ => {}
                }
            }
            waiting = deferred;
            (gone == 3 && waiting.len() == 2).then_some(())
        })
        .await;
        assert!(waiting.iter().all(|row| row.reason == "messaging_limit"));
        // A person who counts already is free of it, and so is an answer.
        says(&ground, 104, ConsentWord::OptIn).await;
        let counted: Vec<i64> = ids
            .iter()
            .zip(101..)
            .filter(|(id, _)| waiting.iter().all(|row| row.draft.id != **id))
            .map(|(_, person)| person)
            .collect();
        let [again] = offer(
            &ground,
            &node,
            [ground.template(counted[0], DraftClass::Utility)],
        )
        .await;
        ground.until_state(again, OutboxState::Accepted).await;
        // A day later the places are free again.
        let later: Timestamp = ground.clock.now().plus(DAY + Duration::from_secs(1));
        ground.clock.set(later);
        node.wakeups.outbox.notify_one();
        for row in waiting {
            ground
                .until_state(row.draft.id, OutboxState::Accepted)
                .await;
        }
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_found_in_order_and_past_who_has_no_room() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let now = ground.clock.now();
        let rows = ground
            .commit(vec![
                ground.template(101, DraftClass::Marketing),
                ground.template(102, DraftClass::Marketing),
            ])
            .await;
        let mut tx = ground.db.begin().await.expect("a transaction");
        let moves: Vec<outbox::Move> = rows
            .iter()
            .zip([20, 10])
            .map(|(row, seconds)| outbox::Move {
                due_at: now.plus(Duration::from_secs(seconds)),
                ..outbox::Move::of(row, OutboxState::Deferred)
            })
            .collect();
        outbox::move_all_tenants(&mut tx, &moves, now)
            .await
            .expect("moved");
        let buckets = [rows[0].bucket];
        let later = now.plus(Duration::from_secs(20));
        let due = deferred::due_all_tenants(&mut tx, &buckets, &[], later, 10)
            .await
            .expect("due");
        let ids: Vec<i64> = due.iter().map(|row| row.draft.id.raw()).collect();
        assert_eq!(ids, [rows[1].draft.id.raw(), rows[0].draft.id.raw()]);
        let none = deferred::due_all_tenants(&mut tx, &buckets, &[NUMBER], later, 10).await;
        assert!(none.expect("due").is_empty());
        tx.commit().await.expect("a commit");
    })
    .await;
}
