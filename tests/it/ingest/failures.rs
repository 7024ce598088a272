//! What a `failed` says beyond its own send: Meta's window, Meta's stops, and what must not send any more. Each failure
//! is obeyed once, as of Meta's time.

use serde_json::{Value, json};
use vestibule::domain::{Clock, DraftClass, OutboxState, Timestamp};
use vestibule::policy::{WindowFacts, WindowState};
use vestibule::storage::conversations::Conversation;
use vestibule::storage::holds::{Held, HeldTemplate, holds_all_tenants, lift_hold_all_tenants};
use vestibule::storage::limits;
use vestibule::storage::outbox::OutboxRow;
use vestibule::storage::people;
use vestibule_tests::for_each_database;

use super::desk::{Desk, status, text};
use super::people::BSUID;
use super::sends::{CUSTOMER, only_conversation, opened, put, queued, reply, template, whose};

async fn sent(desk: &Desk, to: &Conversation, class: DraftClass) -> OutboxRow {
    let what = match class {
        DraftClass::Reply => reply("hi"),
        class => template(class),
    };
    let row = queued(desk, to, what, 1).await.remove(0);
    put(desk, &row, OutboxState::Accepted, 0, "").await;
    row
}

async fn fails(desk: &Desk, sent: &OutboxRow, code: i64, at: i64) {
    let status = status(
        &sent.draft.id.to_string(),
        "wamid.OUT",
        "failed",
        at,
        Some(code),
    );
    desk.hear(&[json!({ "statuses": [status] })]).await;
}

fn says(desk: &Desk, wamid: &str, secs_ago: u64) -> Value {
    text(wamid, Some(CUSTOMER), None, desk.ago(secs_ago), "hello")
}

fn window(desk: &Desk, conversation: &Conversation) -> WindowState {
    let facts = WindowFacts {
        last_inbound_at: conversation.last_inbound_at,
        number_connected_at: Timestamp::ZERO,
        ingest_gap_until: None,
        closed_by_meta_at: conversation.closed_by_meta_at,
    };
    facts.state(desk.clock.now())
}

/// When Meta refused, how often we were told, and when the person wrote again (seconds ago): is the window open?
const WINDOWS: &[(&str, u64, usize, Option<u64>, bool)] = &[
    ("refused after the last message", 20, 1, None, false),
    ("refused and the person wrote since", 20, 1, Some(10), true),
    ("told again after the person wrote", 20, 3, Some(10), true),
    (
        "the person wrote in the second of the refusal",
        20,
        2,
        Some(20),
        true,
    ),
    (
        "the person's message came late and is older",
        20,
        2,
        Some(30),
        false,
    ),
];

#[tokio::test]
async fn a_refusal_closes_the_window_as_of_metas_time_and_only_forwards() {
    for (name, refused, told, wrote, open) in WINDOWS {
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            let conversation = opened(&desk, &database).await;
            let sent = sent(&desk, &conversation, DraftClass::Reply).await;
            let at = desk.ago(*refused);
            fails(&desk, &sent, 131_047, at).await;
            if let Some(wrote) = wrote {
                desk.hear(&[says(&desk, "wamid.AGAIN", *wrote)]).await;
            }
            for n in 1..*told {
                // Doubled, and then doubled with another time.
                fails(
                    &desk,
                    &sent,
                    131_047,
                    at + i64::try_from(n).expect("small") - 1,
                )
                .await;
            }
            let now = only_conversation(&desk, &database).await;
            let is_open = matches!(window(&desk, &now), WindowState::Open { .. });
            assert_eq!(is_open, *open, "{name}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_failure_that_comes_too_late_to_count_closes_nothing() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let sent = sent(&desk, &conversation, DraftClass::Reply).await;
        let id = sent.draft.id.to_string();
        let delivered = status(&id, "wamid.OUT", "delivered", desk.ago(9), None);
        desk.hear(&[json!({ "statuses": [delivered] })]).await;
        fails(&desk, &sent, 131_047, desk.ago(5)).await;
        let now = only_conversation(&desk, &database).await;
        assert_eq!(now.closed_by_meta_at, None);
    })
    .await;
}

#[tokio::test]
async fn a_stop_that_a_failure_tells_of_is_the_persons_stop_of_marketing() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let sent = sent(&desk, &conversation, DraftClass::Marketing).await;
        let at = desk.ago(5);
        fails(&desk, &sent, 131_050, at).await;
        let mut tx = desk.db.read().await.expect("a transaction");
        let (_, _, contact) = whose(&sent);
        let consent = people::read_consent_all_tenants(&mut tx, &[contact]).await;
        let state = consent.expect("consent").of(contact).expect("a row").state;
        assert_eq!(state.meta_stopped_at, Some(desk.at(at)));
    })
    .await;
}

#[tokio::test]
async fn a_stop_in_the_body_that_merges_its_person_is_the_survivors() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let sent = sent(&desk, &conversation, DraftClass::Marketing).await;
        let at = desk.ago(5);
        let id = sent.draft.id.to_string();
        let by_bsuid = text("wamid.1", None, Some(BSUID), desk.ago(20), "hello");
        desk.hear(&[by_bsuid]).await;
        let both = text(
            "wamid.2",
            Some(CUSTOMER),
            Some(BSUID),
            desk.ago(10),
            "hello",
        );
        let failed = status(&id, "wamid.OUT", "failed", at, Some(131_050));
        desk.hear(&[both, json!({ "statuses": [failed] })]).await;
        let mut tx = desk.db.read().await.expect("a transaction");
        let (_, _, old) = whose(&sent);
        let consent = people::read_consent_all_tenants(&mut tx, &[old]).await;
        let consent = *consent.expect("consent").of(old).expect("a row");
        assert_ne!(consent.contact, old);
        assert_eq!(consent.state.meta_stopped_at, Some(desk.at(at)));
        drop(tx);
        // And one that comes after the merge, and is newer.
        let another = self::sent(&desk, &conversation, DraftClass::Marketing).await;
        fails(&desk, &another, 131_050, desk.ago(1)).await;
        let mut tx = desk.db.read().await.expect("a transaction");
        let consent = people::read_consent_all_tenants(&mut tx, &[old]).await;
        let state = consent.expect("consent").of(old).expect("a row").state;
        assert_eq!(state.meta_stopped_at, Some(desk.at(desk.ago(1))));
    })
    .await;
}

/// What a failure's code stops.
fn stops(code: i64, row: &OutboxRow) -> Held {
    let template = HeldTemplate {
        account: "990001".into(),
        name: "spring_sale".into(),
        language: "en".into(),
    };
    let (tenant, number, _) = whose(row);
    match code {
        131_048 => Held::Number(tenant, number),
        132_015 => Held::Template(tenant, template),
        131_064 => Held::Templates(tenant),
        _ => Held::Tenant(tenant),
    }
}

#[tokio::test]
async fn a_failure_that_stops_a_scope_places_one_hold_until_somebody_lifts_it() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        for code in [131_031, 131_042, 368, 131_048, 132_015, 131_064] {
            for (secs_ago, placed) in [(30, true), (30, false), (20, false)] {
                let sent = sent(&desk, &conversation, DraftClass::Marketing).await;
                fails(&desk, &sent, code, desk.ago(secs_ago)).await;
                let mut tx = desk.db.begin().await.expect("a transaction");
                let holds = holds_all_tenants(&mut tx).await.expect("holds");
                let held: Vec<&Held> = holds.iter().map(|hold| &hold.held).collect();
                if !placed && secs_ago == 30 {
                    // The second of the same is no second hold; lifted, it is not placed again for what was before.
                    assert_eq!(held, [&stops(code, &sent)], "{code}");
                    let lifted = lift_hold_all_tenants(&mut tx, holds[0].id, desk.clock.now());
                    assert!(lifted.await.expect("lifted"));
                    tx.commit().await.expect("a commit");
                } else {
                    assert_eq!(held.len(), usize::from(placed), "{code}: {held:?}");
                }
            }
            desk.clock.advance(std::time::Duration::from_secs(60));
        }
    })
    .await;
}

/// As the audit log tells it.
const PLACED_BY_GATEWAY: &str =
    "SELECT COUNT(*) FROM audit_entry WHERE action = 'hold.place' AND actor_kind = 'gateway'";

#[tokio::test]
async fn a_thousand_failures_of_one_cause_place_one_hold_and_other_errors_none() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let rows = queued(&desk, &conversation, template(DraftClass::Marketing), 1_000).await;
        let at = desk.ago(5);
        let failed = |(n, row): (usize, &OutboxRow)| {
            let code = [131_031, 132_015, 131_026, 130_472][n % 4];
            status(
                &row.draft.id.to_string(),
                "wamid.OUT",
                "failed",
                at,
                Some(code),
            )
        };
        let statuses: Vec<Value> = rows.iter().enumerate().map(failed).collect();
        desk.hear(&[json!({ "statuses": statuses })]).await;
        let held = database.count("SELECT COUNT(*) FROM hold").await;
        assert_eq!(held, 2);
        assert_eq!(database.count(PLACED_BY_GATEWAY).await, 2);
    })
    .await;
}

#[tokio::test]
async fn who_has_had_enough_of_businesses_is_left_alone_from_metas_time_on() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let sent = sent(&desk, &conversation, DraftClass::Marketing).await;
        let at = desk.ago(20);
        fails(&desk, &sent, 131_049, at).await;
        let mut tx = desk.db.read().await.expect("a transaction");
        let people = [conversation.contact];
        let held = limits::held_off_all_tenants(&mut tx, &people, Timestamp::ZERO).await;
        let expected = (conversation.contact, Timestamp::from_secs(at));
        assert_eq!(held.expect("readable"), [expected]);
    })
    .await;
}
