//! Receipts as a source of the charged category (§6.4): what Meta charges decides, whatever was claimed and whoever lost
//! the webhook that said so.

use serde_json::{Value, json};
use vestibule::domain::outbound::TemplateContent;
use vestibule::domain::{Clock, Draft, DraftClass, OutboundContent, OutboxState};
use vestibule::policy::{BacklogFact, ConsentState, Decision, Purpose, decide};
use vestibule::storage::conversations::Conversation;
use vestibule::storage::jobs::JobState;
use vestibule_tests::for_each_database;

use super::shelf::{Shelf, spec};
use crate::consents::imports::run;
use crate::ingest::desk::{Desk, NUMBERS, status};
use crate::ingest::sends::{opened, put, queued};

const KEPT: &str = "SELECT category || ' ' || name FROM template ORDER BY name";
const LEARNT: &str =
    "SELECT was || '>' || became || ' ' || learnt FROM template_history WHERE what = 'category'";

fn order_update() -> (OutboundContent, DraftClass) {
    let content = TemplateContent::new("order_update", "en");
    (
        OutboundContent::Template(Box::new(content)),
        DraftClass::Utility,
    )
}

/// What policy says of the draft once more, for somebody who wants no marketing.
fn wants_no_marketing(desk: &Desk, to: &Conversation, draft: &Draft) -> &'static str {
    let now = desk.clock.now();
    let snapshot = desk.owner.snapshot();
    let entry = snapshot.number_named(NUMBERS[0]).expect("the number");
    let consent = ConsentState::default().after_withdrawn(Purpose::Marketing, now);
    let facts = entry.facts(to, consent, BacklogFact::default(), &draft.content, now);
    match decide(&facts, draft, now) {
        Decision::Cleared(_) => "cleared",
        Decision::Refused(refusal) => refusal.reason.code(),
        Decision::Deferred { reason, .. } => reason.code(),
    }
}

fn charged(id: &str, word: &str, at: i64, category: &str) -> Value {
    let mut status = status(id, "wamid.OUT", word, at, None);
    status["pricing"] =
        json!({"billable": true, "pricing_model": "PMP", "type": "regular", "category": category});
    json!({"statuses": [status]})
}

#[tokio::test]
async fn a_template_that_is_charged_as_marketing_stops_for_who_wants_none() {
    for_each_database(async |database| {
        let text = "Your order is here.";
        let shelf = Shelf::with(
            &database,
            vec![spec("order_update", text), spec("other", text)],
        )
        .await;
        let desk = &shelf.desk;
        let conversation = opened(desk, &database).await;
        let job = shelf.begin().await;
        let job = run(desk, std::sync::Arc::new(shelf.job()), &job).await;
        assert_eq!(job.state, JobState::Done, "{job:?}");
        desk.owner.refresh().await.expect("templates read");
        let sent = queued(desk, &conversation, order_update(), 1)
            .await
            .remove(0);
        put(desk, &sent, OutboxState::Accepted, 0, "").await;
        let again = || wants_no_marketing(desk, &conversation, &sent.draft);
        assert_eq!(again(), "cleared");

        // As it was claimed, for nothing, or before it is charged: no news.
        let id = sent.draft.id.to_string();
        for (word, category) in [
            ("sent", "marketing"),
            ("delivered", "utility"),
            ("read", "service"),
        ] {
            desk.hear(&[charged(&id, word, desk.ago(9), category)])
                .await;
        }
        assert_eq!(
            database.texts(KEPT).await,
            ["UTILITY order_update", "UTILITY other"]
        );
        assert_eq!(again(), "cleared");

        desk.hear(&[charged(&id, "delivered", desk.ago(0), "marketing")])
            .await;
        assert_eq!(
            database.texts(KEPT).await,
            ["MARKETING order_update", "UTILITY other"]
        );
        assert_eq!(database.texts(LEARNT).await, ["UTILITY>MARKETING receipt"]);
        desk.owner.refresh().await.expect("templates read");
        assert_eq!(again(), "opted_out_marketing");

        // Told twice, it changed once.
        desk.hear(&[charged(&id, "delivered", desk.ago(0), "marketing")])
            .await;
        assert_eq!(database.texts(LEARNT).await, ["UTILITY>MARKETING receipt"]);
    })
    .await;
}
