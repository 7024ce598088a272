//! Submitted, copied, edited, deleted: our lint first, then Meta's word, and nothing vanishes.

use serde_json::{Value, json};
use vestibule::simulator::{ReviewDecision, ReviewPolicy, TemplateCategory};
use vestibule_tests::for_each_database;

use super::Street;

fn draft() -> Value {
    json!({"name": "order_update", "language": "en", "category": "UTILITY", "components": [
        {"type": "BODY", "text": "Your order {{1}} has left our house today.", "example": {"body_text": [["4711"]]}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_submitted_copied_edited_and_deleted_and_its_row_stays() {
    for_each_database(async |database| {
        let street = Street::open(&database, Vec::new(), |_| {}).await;
        street.synced(&database).await;
        let (ground, key) = (&street.ground, street.key.as_str());

        let mut bad = draft();
        bad["components"][0]["text"] = json!("{{1}} is your order, it has left our house");
        let refused = ground.post(key, "/templates", &bad).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.wrong()[0].starts_with("/components/0/text: variable_at_start"), "{refused:?}");
        let linted = ground.post(key, "/templates/lint", &bad).await;
        assert_eq!((linted.status, &linted.body["passes"]), (200, &json!(false)));

        // Meta calls it what it likes, and a review takes its time.
        street.meta.set_reviews(ReviewPolicy {
            decision: ReviewDecision::Wait,
            category: Some(TemplateCategory::Marketing),
            ..ReviewPolicy::default()
        });
        let created = ground.post(key, "/templates", &draft()).await;
        assert_eq!(created.status, 201, "{created:?}");
        let template = &created.body["template"];
        assert_eq!(template["status"], "PENDING");
        assert_eq!((&template["asked_category"], &template["category"]), (&json!("UTILITY"), &json!("MARKETING")));
        let id = template["id"].as_str().expect("an id").to_owned();
        let again = ground.post(key, "/templates", &draft()).await;
        assert_eq!((again.status, again.problem()), (502, "meta_refused"));
        let early = json!({"components": draft()["components"]});
        let early = ground.patch(key, &format!("/templates/{id}"), "", &early).await;
        assert_eq!(early.status, 409, "{early:?}");

        street.meta.set_reviews(ReviewPolicy::default());
        let languages = json!({"languages": [{"language": "de"}, {"language": "pt_BR"}]});
        let copied = ground.post(key, &format!("/templates/{id}/languages"), &languages).await;
        assert_eq!(copied.status, 200, "{copied:?}");
        assert!(copied.body["items"][1]["template"]["id"].is_string(), "{copied:?}");
        let german = copied.body["items"][0]["template"]["id"].as_str().expect("an id").to_owned();
        let path = format!("/templates/{german}");
        vestibule_tests::until("the review is told", async || {
            (street.get(&path).await["status"] == "APPROVED").then_some(())
        })
        .await;
        let words = json!({"components": [{"type": "BODY", "text": "Your order {{1}} has left our house just now.",
            "example": {"body_text": [["4711"]]}}]});
        let edited = ground.patch(key, &path, "", &words).await;
        assert_eq!(edited.status, 200, "{edited:?}");
        let shown = &edited.body["template"]["components"][0]["text"];
        assert_eq!(shown, &words["components"][0]["text"]);

        // Later than the second of Meta's last word.
        street.pass_seconds(2);
        let gone = ground.delete(key, &path).await;
        assert_eq!(gone.status, 204, "{gone:?}");
        assert_eq!(street.get(&path).await["status"], "DELETED");
        let history = street.history(&german).await;
        assert!(history.iter().any(|line| line.starts_with("components")), "{history:?}");
        // Meta says so by its answer and by a webhook; what comes first is what changed it.
        let deleted = |line: &String| line.starts_with("status APPROVED>DELETED");
        assert_eq!(history.iter().filter(|line| deleted(line)).count(), 1, "{history:?}");
        let audit = street.get("/audit?limit=100").await;
        let actions: Vec<&Value> = audit["items"].as_array().expect("items").iter().map(|one| &one["action"]).collect();
        for action in ["template.create", "template.copy", "template.edit", "template.delete"] {
            assert!(actions.contains(&&json!(action)), "{action}: {actions:?}");
        }
        street.end().await;
    })
    .await;
}
