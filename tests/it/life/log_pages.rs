//! A plugin's log, page by page: whole, whoever commits when, and never long in one statement.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vestibule::domain::rollout::Stage;
use vestibule::domain::time::ManualClock;
use vestibule::domain::{
    ConversationId, EventId, InstallationId, NumberId, TenantId, Timestamp, TurnId, id,
};
use vestibule::storage::turns::{TurnRow, append_all_tenants, journals_after};
use vestibule::storage::{Db, journals, replays};
use vestibule::tenants::SetupContext;
use vestibule::tenants::installations::{LogCursor, LogPage, logs};
use vestibule_tests::db::now;
use vestibule_tests::{for_each_database, guests};

use super::{Life, cli, echo};

/// As many turns as one statement looks at.
const WINDOW: i64 = 5_000;

fn ago(seconds: u64) -> Timestamp {
    now().minus(Duration::from_secs(seconds))
}

/// A turn in which a plugin wrote one line: its own id.
fn turn(tenant: TenantId, of: InstallationId, raw: i64) -> TurnRow {
    let id = TurnId::from_raw(raw);
    let line = json!({"installation": of, "hook": "auto-reply", "level": "info", "message": id});
    TurnRow {
        id,
        tenant,
        number: NumberId::from_raw(1),
        conversation: ConversationId::from_raw(1),
        event: EventId::from_raw(raw),
        outcome: "silent",
        journal: json!({"report": {"logs": [line]}}).to_string(),
        at: id::made_at(raw),
    }
}

async fn commit(db: &Db, rows: &[TurnRow]) {
    let mut tx = db.begin().await.expect("a transaction");
    let rows: Vec<&TurnRow> = rows.iter().collect();
    append_all_tenants(&mut tx, &rows).await.expect("written");
    tx.commit().await.expect("committed");
}

fn turns(page: &LogPage) -> Vec<TurnId> {
    page.lines.iter().map(|line| line.turn).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_turn_that_commits_late_is_told_to_those_who_read_on() {
    for_each_database(async |database| {
        let life = Life::begin(&database, &[echo(guests::ECHO, "1.0.0")]).await;
        let (tenant, own) = (
            life.tenant,
            life.install(0, Stage::Active, 100, "").await.id,
        );
        let [old, slow, quick, last] =
            [400, 40, 20, 1].map(|seconds| turn(tenant, own, id::first_id_at(ago(seconds))));
        let db = &life.setup().db;
        let clock = Arc::new(ManualClock::at(now()));
        let setup = SetupContext {
            clock: clock.clone(),
            ..life.setup().clone()
        };
        let read = async |after| logs(&setup, tenant, own, after).await.expect("read");
        commit(db, &[old.clone(), quick.clone()]).await;
        let first = read(None).await;
        assert_eq!((turns(&first), first.more), (vec![old.id, quick.id], false));
        // It began before the quick one. What is not late is told at once.
        commit(db, &[slow.clone(), last.clone()]).await;
        clock.advance(Duration::from_secs(2));
        let second = read(Some(first.next)).await;
        assert_eq!(turns(&second), [last.id]);
        // Whoever begins at a turn is told of none before it.
        let from = Some(LogCursor::after(quick.id));
        let third = read(from).await;
        assert_eq!(turns(&third), [last.id]);
        assert_eq!(turns(&read(Some(third.next)).await), [last.id]);
        clock.advance(Duration::from_secs(28));
        let whole = read(Some(second.next)).await;
        assert_eq!(turns(&whole), [slow.id, quick.id, last.id]);
        clock.advance(Duration::from_secs(2));
        let short = read(Some(whole.next)).await;
        assert_eq!(turns(&short), Vec::<TurnId>::new());
        // What can have no late neighbours any more is told a last time.
        clock.advance(Duration::from_secs(100));
        let again = read(Some(short.next)).await;
        assert_eq!(turns(&again), [slow.id, quick.id, last.id]);
        clock.advance(Duration::from_secs(30));
        assert_eq!(turns(&read(Some(again.next)).await), [last.id]);
        life.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_follow_a_log_is_shown_to_its_end() {
    for_each_database(async |database| {
        let life = Life::begin(&database, &[echo(guests::ECHO, "1.0.0")]).await;
        let (tenant, own) = (
            life.tenant,
            life.install(0, Stage::Active, 100, "").await.id,
        );
        let from = id::first_id_at(ago(60));
        let rows: Vec<TurnRow> = (0..1_200).map(|n| turn(tenant, own, from + n)).collect();
        commit(&life.setup().db, &rows).await;
        let shown = cli(&life.town, &["plugin", "logs", &own.to_string()]).await;
        let shown = shown.as_array().expect("a list");
        let ids = shown.iter().map(|line| line["message"].clone());
        assert_eq!(
            ids.collect::<Vec<_>>(),
            rows.iter().map(|row| json!(row.id)).collect::<Vec<_>>()
        );
        life.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_statement_reads_no_more_than_a_window_of_other_tenants_turns() {
    for_each_database(async |database| {
        let db = database.open().await;
        let [quiet, busy] = [1, 2].map(TenantId::from_raw);
        let own = InstallationId::from_raw(7);
        let from = id::first_id_at(ago(60));
        let mut rows: Vec<TurnRow> = (0..WINDOW).map(|n| turn(busy, own, from + n)).collect();
        rows.push(turn(quiet, own, from + WINDOW));
        commit(&db, &rows).await;
        let wanted = rows[rows.len() - 1].id;
        let (start, edge) = (TurnId::from_raw(0), TurnId::from_raw(from + WINDOW - 1));
        let mut tx = db.read().await.expect("a reader");
        let first = journals_after(&mut tx, quiet, start, 500)
            .await
            .expect("read");
        assert_eq!((first.rows.len(), first.to, first.more), (0, edge, true));
        let second = journals_after(&mut tx, quiet, first.to, 500)
            .await
            .expect("read");
        assert_eq!((second.rows[0].id, second.more), (wanted, false));
        let replayed = replays::turns(&mut tx, quiet, start, now(), 200)
            .await
            .expect("read");
        assert_eq!(
            (replayed.rows.len(), replayed.to, replayed.more),
            (0, edge, true)
        );
        let replayed = replays::turns(&mut tx, quiet, edge, now(), 200)
            .await
            .expect("read");
        assert_eq!((replayed.rows[0].id, replayed.more), (wanted, false));
        // A page that is full ends with its last row.
        let busy = journals_after(&mut tx, busy, start, 3).await.expect("read");
        assert_eq!(
            (busy.rows.len(), busy.to, busy.more),
            (3, busy.rows[2].id, true)
        );
        drop(tx);
        // What the tenant's own retention has taken is not looked for among the others'.
        let forgotten = journals::forget_all_tenants(&db, &[(quiet, ago(59))]).await;
        assert_eq!(forgotten.expect("forgotten").turns, 1);
        let last = turn(quiet, own, id::first_id_at(ago(1)));
        commit(&db, std::slice::from_ref(&last)).await;
        let mut tx = db.read().await.expect("a reader");
        let left = journals_after(&mut tx, quiet, start, 500)
            .await
            .expect("read");
        assert_eq!(
            (left.rows[0].id, left.to, left.more),
            (last.id, last.id, false)
        );
    })
    .await;
}
