//! Receipts: what is kept of them, and that a send which is proven to be out is not sent again (promises 5 and 9).

use serde_json::{Value, json};
use vestibule::domain::{Clock, DraftClass, OutboxState, ReceiptStatus};
use vestibule::storage::outbox::{self, Move, OutboxRow};
use vestibule_tests::for_each_database;

use super::desk::{Desk, status};
use super::sends::{opened, put, queued, reply, row, template};

async fn receipts(desk: &Desk, statuses: &[Value]) {
    desk.hear(&[json!({ "statuses": statuses })]).await;
}

fn of(sent: &OutboxRow, word: &str, at: i64, error: Option<i64>) -> Value {
    status(&sent.draft.id.to_string(), "wamid.OUT", word, at, error)
}

/// Where a row was in doubt once and stands now, the reason in it, and whether that stays: it may have gone out twice.
const PROVEN: &[(OutboxState, u32, &str, bool)] = &[
    (OutboxState::Claimed, 0, "", false),
    (
        OutboxState::Claimed,
        1,
        "sent_once_more: no answer and no receipt came",
        true,
    ),
    (OutboxState::Unknown, 1, "no answer came", false),
    (
        OutboxState::Unknown,
        2,
        "sent_once_more: no answer came",
        true,
    ),
    (
        OutboxState::Queued,
        1,
        "sent_once_more: no answer and no receipt came",
        false,
    ),
    (
        OutboxState::Failed,
        2,
        "in_doubt: it may have been sent; no receipt came",
        false,
    ),
    (OutboxState::Refused, 1, "window_closed", false),
    (OutboxState::Cancelled, 1, "taken_over", false),
];

#[tokio::test]
async fn whatever_was_in_doubt_is_accepted_once_a_receipt_proves_that_it_is_out() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        for (state, doubts, reason, twice) in PROVEN {
            for word in ["delivered", "failed"] {
                let sent = queued(&desk, &conversation, reply("hi"), 1).await.remove(0);
                put(&desk, &sent, *state, *doubts, reason).await;
                receipts(&desk, &[of(&sent, word, desk.ago(1), Some(131_026))]).await;
                let now = row(&desk, &sent).await;
                let seen = (now.state, now.wamid.as_deref(), now.reason.as_str());
                let left = if *twice { *reason } else { "" };
                let expected = (OutboxState::Accepted, Some("wamid.OUT"), left);
                assert_eq!(seen, expected, "{state:?}, {word}");
                let mut tx = desk.db.read().await.expect("a transaction");
                let doubted = outbox::doubted_all_tenants(&mut tx, 100).await;
                let ids = doubted.expect("a list").into_iter().map(|row| row.draft.id);
                let listed = ids.collect::<Vec<_>>().contains(&sent.draft.id);
                assert_eq!(listed, *twice || *doubts > 1, "{state:?}, {word}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_receipt_moves_no_send_that_was_never_tried() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let sent = queued(&desk, &conversation, reply("hi"), 1).await.remove(0);
        receipts(&desk, &[of(&sent, "sent", desk.ago(1), None)]).await;
        assert_eq!(row(&desk, &sent).await.state, OutboxState::Queued);
    })
    .await;
}

/// Status and error code of receipts as they come in.
type Course = &'static [(&'static str, i64)];

/// Each course, and then how far the send is and with which error.
const COURSES: &[(Course, ReceiptStatus, Option<i64>)] = &[
    (
        &[("sent", 0), ("delivered", 0), ("read", 0)],
        ReceiptStatus::Read,
        None,
    ),
    (&[("read", 0), ("sent", 0)], ReceiptStatus::Read, None),
    (
        &[("sent", 0), ("delivered", 0), ("read", 0), ("played", 0)],
        ReceiptStatus::Played,
        None,
    ),
    (
        &[("played", 0), ("read", 0), ("delivered", 0), ("sent", 0)],
        ReceiptStatus::Played,
        None,
    ),
    (
        &[("failed", 131_026), ("played", 0)],
        ReceiptStatus::Played,
        None,
    ),
    (
        &[("played", 0), ("failed", 131_026)],
        ReceiptStatus::Played,
        None,
    ),
    (
        &[("failed", 131_026), ("sent", 0)],
        ReceiptStatus::Failed,
        Some(131_026),
    ),
    (
        &[("sent", 0), ("failed", 131_026), ("failed", 131_049)],
        ReceiptStatus::Failed,
        Some(131_026),
    ),
    (
        &[("failed", 131_026), ("delivered", 0)],
        ReceiptStatus::Delivered,
        None,
    ),
    (
        &[("delivered", 0), ("failed", 131_026)],
        ReceiptStatus::Delivered,
        None,
    ),
];

#[tokio::test]
async fn a_receipt_that_changes_nothing_leaves_the_error_alone() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        for (course, receipt, error) in COURSES {
            for together in [false, true] {
                let sent = queued(&desk, &conversation, reply("hi"), 1).await.remove(0);
                put(&desk, &sent, OutboxState::Accepted, 0, "").await;
                let all: Vec<Value> = course
                    .iter()
                    .map(|(word, code)| of(&sent, word, desk.ago(1), (*code != 0).then_some(*code)))
                    .collect();
                let posts: Vec<&[Value]> = match together {
                    true => vec![&all],
                    false => all.chunks(1).collect(),
                };
                for post in posts {
                    receipts(&desk, post).await;
                }
                let now = row(&desk, &sent).await;
                assert_eq!(
                    (now.receipt, now.error),
                    (Some(*receipt), *error),
                    "{course:?}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn price_time_zone_and_category_stay_with_the_receipt_as_they_were_that_day() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let what = template(DraftClass::Marketing);
        let sent = queued(&desk, &conversation, what, 1).await.remove(0);
        put(&desk, &sent, OutboxState::Accepted, 0, "").await;
        let pricing = r#"{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing"}"#;
        let mut delivered = of(&sent, "delivered", desk.ago(1), None);
        delivered["pricing"] = serde_json::from_str(pricing).expect("JSON");
        receipts(&desk, &[of(&sent, "sent", desk.ago(2), None), delivered]).await;
        let kept = database
            .texts("SELECT time_zone || ' ' || template_category || ' ' || pricing FROM receipt ORDER BY status")
            .await;
        assert_eq!(kept[0], "Europe/London marketing ");
        let price = kept[1].strip_prefix("Europe/London marketing ").expect("the same");
        let (price, pricing): (Value, Value) = (
            serde_json::from_str(price).expect("JSON"),
            serde_json::from_str(pricing).expect("JSON"),
        );
        assert_eq!(price, pricing);
    })
    .await;
}

fn priced(mut status: Value, category: &str) -> Value {
    status["pricing"] = json!({ "billable": true, "pricing_model": "PMP", "type": "regular", "category": category });
    status
}

#[tokio::test]
async fn a_price_is_kept_whenever_its_receipt_comes_and_never_changed() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let sent = queued(&desk, &conversation, reply("hi"), 1).await.remove(0);
        put(&desk, &sent, OutboxState::Accepted, 0, "").await;
        // The last one first: what comes after it moves nothing, and has its price all the same.
        receipts(&desk, &[of(&sent, "played", desk.ago(1), None)]).await;
        let delivered = priced(of(&sent, "delivered", desk.ago(2), None), "utility");
        let doubled = priced(of(&sent, "delivered", desk.ago(2), None), "marketing");
        receipts(&desk, &[delivered]).await;
        receipts(&desk, &[doubled]).await;
        receipts(
            &desk,
            &[priced(of(&sent, "sent", desk.ago(3), None), "utility")],
        )
        .await;
        assert_eq!(row(&desk, &sent).await.receipt, Some(ReceiptStatus::Played));
        let kept = database
            .texts("SELECT CAST(status AS TEXT) || pricing FROM receipt ORDER BY status")
            .await;
        let prices: Vec<bool> = kept.iter().map(|kept| kept.contains("utility")).collect();
        assert_eq!(prices, [true, true, false], "{kept:?}");
        assert_eq!(kept[2], "4", "`played` has no price");
    })
    .await;
}

#[tokio::test]
async fn a_receipt_that_outruns_its_sends_record_is_not_undone_by_it() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let conversation = opened(&desk, &database).await;
        let sent = queued(&desk, &conversation, reply("hi"), 1).await.remove(0);
        put(&desk, &sent, OutboxState::Claimed, 0, "").await;
        let claimed = row(&desk, &sent).await;
        receipts(&desk, &[of(&sent, "delivered", desk.ago(1), None)]).await;
        // Graph's answer, which was on its way, is recorded now.
        let answer = Move {
            wamid: Some("wamid.OUT".to_owned()),
            receipt: Some(ReceiptStatus::Accepted),
            ..Move::of(&claimed, OutboxState::Accepted)
        };
        let mut tx = desk.db.begin().await.expect("a transaction");
        let moved = outbox::move_all_tenants(&mut tx, &[answer], desk.clock.now()).await;
        assert_eq!(moved.expect("a move"), []);
        tx.commit().await.expect("a commit");
        let now = row(&desk, &sent).await;
        let seen = (now.state, now.receipt, now.wamid.as_deref());
        let delivered = Some(ReceiptStatus::Delivered);
        assert_eq!(seen, (OutboxState::Accepted, delivered, Some("wamid.OUT")));
    })
    .await;
}
