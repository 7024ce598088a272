//! Bodies of every kind: a batch is split and every part of it handled, a bad one is refused or kept, none is lost.

use vestibule::simulator::Signature;
use vestibule_tests::town::{Town, body, message, now_secs};
use vestibule_tests::{TestDatabase, for_each_database, guests, settle};

const CUSTOMERS: usize = 10;
const EACH: usize = 5;

/// Waits until everything has happened, the receipts of what was sent included: Meta's webhooks come when it likes.
async fn settled(database: &TestDatabase, town: &Town) {
    let db = database.open().await;
    settle(&db).await;
    town.meta.webhooks_idle().await;
    settle(&db).await;
    db.close().await;
}

/// 200 messages of four numbers of two tenants, and statuses that belong to nothing of ours.
fn batch(town: &Town) -> Vec<u8> {
    let at = now_secs();
    let changes: Vec<_> = town
        .business
        .numbers
        .iter()
        .enumerate()
        .map(|(n, number)| {
            let messages = (0..EACH)
                .flat_map(|round| (0..CUSTOMERS).map(move |c| (round, c)))
                .map(|(round, c)| {
                    message(
                        round,
                        &format!("4915{n}00000{c:02}"),
                        &format!("line {round}"),
                        at,
                    )
                })
                .collect();
            (
                number.waba_id.as_str(),
                number.phone_number_id.as_str(),
                messages,
            )
        })
        .collect();
    let mut body: serde_json::Value = serde_json::from_slice(&body(&changes)).expect("JSON");
    body["entry"][0]["changes"][0]["value"]["statuses"] = serde_json::json!([
        { "id": "wamid.of-nobody", "status": "delivered", "timestamp": at.to_string(), "recipient_id": "491500000000" },
    ]);
    body.to_string().into_bytes()
}

#[tokio::test]
async fn a_post_of_200_messages_sent_three_times_is_200_turns_in_order() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        let answers = town
            .meta
            .deliver_body(batch(&town), Signature::Valid, 3)
            .await
            .expect("answers");
        assert!(
            answers.iter().all(|status| status.is_success()),
            "{answers:?}"
        );
        settled(&database, &town).await;
        let count = async |query| database.count(query).await;
        assert_eq!(
            count("SELECT COUNT(*) FROM inbound_event WHERE kind = 1 AND state = 1").await,
            200
        );
        assert_eq!(count("SELECT COUNT(*) FROM turn").await, 200);
        assert_eq!(
            count("SELECT COUNT(*) FROM outbox WHERE state = 2").await,
            200
        );
        assert_eq!(
            count("SELECT COUNT(*) FROM conversation WHERE next_seq = 6 AND done_seq = 5").await,
            40
        );
        for chat in 0..4 * CUSTOMERS {
            let (n, c) = (chat / CUSTOMERS, chat % CUSTOMERS);
            let number = &town.business.numbers[n].phone_number_id;
            let customer = town
                .meta
                .customer(number, &format!("4915{n}00000{c:02}"))
                .expect("a customer");
            let heard = customer.chat();
            let lines: Vec<&str> = heard.texts();
            assert_eq!(lines.len(), EACH, "{lines:?}");
            let expected = |(round, line): (usize, &&str)| line.contains(&format!("line {round}"));
            assert!(lines.iter().enumerate().all(expected), "{lines:?}");
        }
        node.end().await;
    })
    .await;
}

#[tokio::test]
async fn unbelieved_bodies_are_refused_and_signed_ones_always_kept() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        let number = &town.business.numbers[0];
        let good = body(&[(
            &number.waba_id,
            &number.phone_number_id,
            vec![message(1, "4915111111111", "hi", now_secs())],
        )]);
        let status = async |body: Vec<u8>, signature| {
            town.meta
                .deliver_body(body, signature, 1)
                .await
                .expect("an answer")[0]
                .as_u16()
        };
        assert_eq!(status(good.clone(), Signature::Missing).await, 401);
        assert_eq!(status(good.clone(), Signature::Wrong).await, 401);
        assert_eq!(database.count("SELECT COUNT(*) FROM inbound_raw").await, 0);
        assert_eq!(status(vec![b'x'; 5 << 20], Signature::Valid).await, 413);
        let cut = good[..good.len() / 2].to_vec();
        assert_eq!(status(cut, Signature::Valid).await, 200);
        assert_eq!(
            status(b"no JSON at all".to_vec(), Signature::Valid).await,
            200
        );
        let foreign = body(&[(
            "999",
            "888777666",
            vec![message(1, "4915111111111", "hi", now_secs())],
        )]);
        assert_eq!(status(foreign, Signature::Valid).await, 200);
        assert_eq!(status(good, Signature::Valid).await, 200);
        settled(&database, &town).await;
        let kept = database
            .texts("SELECT content FROM inbound_event WHERE kind = 9 ORDER BY content")
            .await;
        assert_eq!(
            kept,
            [
                "unknown_number.message",
                "unknown_number.not_json",
                "unknown_number.not_json"
            ]
        );
        assert_eq!(database.count("SELECT COUNT(*) FROM turn").await, 1);
        assert_eq!(
            database
                .count("SELECT COUNT(*) FROM inbound_raw WHERE attached_at = 0")
                .await,
            0
        );
        node.end().await;
    })
    .await;
}
