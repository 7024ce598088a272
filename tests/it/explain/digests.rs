//! Messages by Meta's id, however many came after them.

use std::time::Duration;

use vestibule::explain::wamids::Digester;
use vestibule::explain::{Asked, Sight, Subject, explain};
use vestibule_tests::for_each_database;

use crate::ingest::desk::{Desk, text};

const PHONE: &str = "447700900123";
/// A digest for each: what is found is found by one, what is left over is looked through.
const MESSAGES: i64 = 23;
const ROWS: i64 = 5;

#[tokio::test]
async fn a_message_is_found_by_metas_id_in_any_digest_and_behind_them() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        for n in 0..MESSAGES {
            let wamid = format!("wamid.{n}");
            // No person to be guessed from the wamid: nobody has this phone by then.
            let heard = text(&wamid, Some(PHONE), None, desk.ago(60), "hello");
            desk.hear(&[heard]).await;
        }
        let digester = Digester {
            db: desk.db.clone(),
            clock: desk.clock.clone(),
            owned: desk.owned(),
            rows: ROWS,
            behind: Duration::ZERO,
        };
        desk.clock.advance(Duration::from_secs(1));
        digester.once().await.expect("digests");
        let made = "SELECT COUNT(*) FROM wamid_digest WHERE source = 2";
        assert_eq!(database.count(made).await, MESSAGES / ROWS);
        for n in 0..MESSAGES {
            let asked = Asked {
                subject: Subject::Message(format!("wamid.{n}")),
                steps: 20,
                raw: false,
            };
            // Without a tenant nothing but the digests and the rows behind them is asked.
            let told = explain(&desk.setup, None, &asked, Sight::OPERATOR).await;
            let told = told.expect("it is found");
            assert_eq!(told.about.wamid, Some(format!("wamid.{n}")));
        }
        // A digest goes with its rows.
        database
            .execute("DELETE FROM inbound_event WHERE wamid IN ('wamid.0', 'wamid.1', 'wamid.2', 'wamid.3', 'wamid.4')")
            .await;
        for n in MESSAGES..MESSAGES + ROWS {
            let wamid = format!("wamid.{n}");
            let heard = text(&wamid, Some(PHONE), None, desk.ago(50), "hello");
            desk.hear(&[heard]).await;
        }
        desk.clock.advance(Duration::from_secs(1));
        digester.once().await.expect("digests");
        assert_eq!(database.count(made).await, MESSAGES / ROWS);
    })
    .await;
}

/// A send gets its wamid when Meta answers, which may be after it was digested.
#[tokio::test]
async fn a_send_whose_wamid_comes_late_is_found() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.hear(&[text("wamid.in", Some(PHONE), None, desk.ago(60), "STOP")])
            .await;
        let waits = "SELECT COUNT(*) FROM outbox WHERE wamid = ''";
        assert_eq!(database.count(waits).await, 1, "the confirmation");
        let digester = Digester {
            db: desk.db.clone(),
            clock: desk.clock.clone(),
            owned: desk.owned(),
            rows: 1,
            behind: Duration::ZERO,
        };
        desk.clock.advance(Duration::from_secs(1));
        digester.once().await.expect("digests");
        database
            .execute("UPDATE outbox SET wamid = 'wamid.late', state = 2")
            .await;
        let asked = Asked {
            subject: Subject::Message("wamid.late".to_owned()),
            steps: 20,
            raw: false,
        };
        let told = explain(&desk.setup, None, &asked, Sight::OPERATOR).await;
        assert_eq!(told.expect("it is found").about.kind, "send");
    })
    .await;
}
