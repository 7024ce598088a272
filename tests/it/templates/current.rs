//! The registry is read whole and kept current, and what it says is obeyed.

use serde_json::{Value, json};
use vestibule::domain::{Clock, ContactId};
use vestibule::policy::ConsentWord;
use vestibule::simulator::{Fault, FaultKind, TemplateCategory, TemplateEvent, TemplateStatus};
use vestibule::storage::people;
use vestibule_tests::for_each_database;

use super::{Street, WABA, spec};

/// Three pages; or as many as `VESTIBULE_TEMPLATES` says, with time and memory told.
#[allow(
    clippy::disallowed_methods,
    reason = "the size of the test is whoever runs it's to say"
)]
fn many() -> usize {
    let asked = std::env::var("VESTIBULE_TEMPLATES").ok();
    asked.and_then(|many| many.parse().ok()).unwrap_or(230)
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long it takes is what is told"
)]
fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

/// The most memory that this process had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn order(language: &str, parameters: &[&str]) -> Value {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|value| json!({"value": value}))
        .collect();
    json!({"type": "template", "name": "order_update", "language": language, "parameters": parameters})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_read_by_pages_through_an_expired_cursor_and_two_throttles() {
    for_each_database(async |database| {
        let many = many();
        let templates =
            (0..many).map(|n| spec(&format!("t_{n:04}"), "en", "Hello {{1}}, it is here."));
        let street = Street::open(&database, templates.collect(), |meta| {
            let pass = || FaultKind::SlowMs(0);
            let bare = FaultKind::Http { status: 429 };
            for kind in [
                pass(),
                FaultKind::error(131_059),
                pass(),
                FaultKind::error(80_007),
                bare,
            ] {
                meta.fault(Fault::next(kind).of_number(WABA));
            }
        })
        .await;
        let (begun, before) = (monotonic(), peak());
        let job = street.synced(&database).await;
        // The kernel counts pages for each core and sums them up roughly: the peak can be a little lower afterwards.
        let (took, grew) = (begun.elapsed(), peak().saturating_sub(before));
        eprintln!("{many} templates were read in {took:?}; the process grew by {grew} KiB");
        assert_eq!(job["done"], many);
        assert_eq!(job["result"]["restarts"], 1);
        assert_eq!(job["result"]["new"], many);
        let rows = i64::try_from(many).expect("a few");
        let kept = "SELECT COUNT(*) FROM template";
        assert_eq!(database.count(kept).await, rows);
        let told = "SELECT COUNT(*) FROM template_history";
        assert_eq!(database.count(told).await, rows);
        // A second pass finds nothing new, but what has gone and what has changed in silence.
        let mut silent = spec("t_0001", "en", "Hello {{1}}, it is not here.");
        street.meta.put_template(silent.clone());
        silent.name = "t_0002".to_owned();
        silent.status = TemplateStatus::Deleted;
        street.meta.put_template(silent);
        let begun = street
            .ground
            .post(&street.key, "/templates/sync", &json!({}))
            .await;
        assert_eq!(begun.status, 202, "{begun:?}");
        let job = street.synced(&database).await;
        let result = &job["result"];
        assert_eq!((&result["new"], &result["gone"]), (&json!(0), &json!(1)));
        assert_eq!(result["changed"], 1);
        let gone = street.template("t_0002", "en").await.expect("it is kept");
        assert!(gone["gone_at"].is_string(), "{gone}");
        assert_eq!(
            street.history(gone["id"].as_str().expect("an id")).await[0],
            "gone ->- sync"
        );
        let changed = street.template("t_0001", "en").await.expect("it is there");
        let path = format!(
            "/templates/{}/history",
            changed["id"].as_str().expect("an id")
        );
        let history = street.get(&path).await;
        assert_eq!(
            history["items"][0]["was"][0]["text"],
            "Hello {{1}}, it is here."
        );
        street.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_meta_says_of_a_template_is_obeyed_and_told() {
    for_each_database(async |database| {
        let body = "Your order {{1}} has left our house today.";
        let mut templates: Vec<_> = ["en", "de"]
            .map(|language| spec("order_update", language, body))
            .into();
        templates.push(spec("only_spanish", "es", body));
        let street = Street::open(&database, templates, |_| {}).await;
        street.synced(&database).await;
        let wanting = "template_parameter_count";
        street.until_said(order("en", &[]), wanting).await;
        assert_eq!(street.say(order("en", &["4711"])).await, "queued");
        assert_eq!(
            street.say(order("fr", &["4711"])).await,
            "template_not_approved"
        );
        // Nobody's language is known, and the tenant has named no default.
        assert_eq!(
            street.say(order("auto", &["4711"])).await,
            "template_language"
        );
        assert_eq!(street.say(order("fr,de", &["4711"])).await, "queued");
        let settings =
            json!({"settings": {"consent_basis": "attested", "template_languages": {"*": "de"}}});
        let path = format!("/tenants/{}", street.tenant);
        let set = street
            .ground
            .patch(&street.key, &path, "*", &settings)
            .await;
        assert_eq!(set.status, 200, "{set:?}");
        street.until_said(order("auto", &["4711"]), "queued").await;

        let english = street
            .template("order_update", "en")
            .await
            .expect("it is there");
        let (id, meta_id) = (
            english["id"].as_str().expect("an id"),
            english["meta_id"].as_str(),
        );
        let happens = |event| {
            let happened = street
                .meta
                .template_event(meta_id.expect("Meta's id"), event);
            happened.expect("a template");
        };
        happens(TemplateEvent {
            status: Some(TemplateStatus::Paused),
            ..TemplateEvent::default()
        });
        street
            .until_template("order_update", "status", "PAUSED")
            .await;
        // One that goes out before the node has read this is answered by Meta, and places a hold: that is told first.
        let directory = &street.ground.node.directory;
        directory.refresh().await.expect("templates read");
        street
            .until_said(order("en", &["4711"]), "template_paused")
            .await;
        happens(TemplateEvent {
            status: Some(TemplateStatus::Approved),
            ..TemplateEvent::default()
        });
        street.until_said(order("en", &["4711"]), "queued").await;

        stops_marketing(&street).await;
        assert_eq!(street.say(order("en", &["4711"])).await, "queued");
        happens(TemplateEvent {
            category: Some(TemplateCategory::Marketing),
            quality: Some("RED".to_owned()),
            ..TemplateEvent::default()
        });
        street
            .until_said(order("en", &["4711"]), "opted_out_marketing")
            .await;
        let history = street.history(id).await;
        for line in [
            "category UTILITY>MARKETING webhook",
            "status APPROVED>PAUSED webhook",
            "status PAUSED>APPROVED webhook",
            "quality UNKNOWN>RED webhook",
        ] {
            assert!(history.iter().any(|one| one == line), "{line}: {history:?}");
        }
        let events = vestibule_tests::until("followers are told", async || {
            let events = street.get("/events?types=template.changed&limit=100").await;
            let items = events["items"].as_array().cloned().unwrap_or_default();
            let told = |item: &Value| {
                item["type"] == "template.changed" && item["data"]["what"] == "category"
            };
            items.into_iter().find(told)
        })
        .await;
        assert_eq!(events["data"]["became"], "MARKETING");
        assert_eq!(events["data"]["template"]["name"], "order_update");
        street.end().await;
    })
    .await;
}

async fn stops_marketing(street: &Street) {
    let contact: ContactId = street.contact.parse().expect("a contact");
    let mut tx = street
        .ground
        .setup()
        .db
        .begin()
        .await
        .expect("a transaction");
    let consents = people::lock_consent_all_tenants(&mut tx, &[contact])
        .await
        .expect("consent");
    let mut consent = *consents.of(contact).expect("a consent row");
    let word = Some(ConsentWord::OptOutMarketing);
    consent.state = consent
        .state
        .after_inbound(word, street.ground.clock.now())
        .0;
    people::set_consent(&mut tx, street.tenant, &consent)
        .await
        .expect("written");
    tx.commit().await.expect("a commit");
}
