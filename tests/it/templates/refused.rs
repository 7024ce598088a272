//! What Meta answers to a creation or an edit that it does not take (facts §6.5, §6.7, §7): each code is told with what
//! mends it, and nothing of the template is kept or changed.

use serde_json::{Value, json};
use vestibule::simulator::{Fault, FaultKind, ReviewDecision, ReviewPolicy};
use vestibule_tests::{TestDatabase, for_each_database};

use super::{Street, WABA, spec};
use crate::api::ground::{Answer, answer};

/// What Meta says, what the gateway answers, and what must be read there.
struct Case {
    code: i64,
    subcode: Option<i64>,
    answered: (u16, &'static str),
    says: &'static str,
}

const REFUSED: (u16, &str) = (502, "meta_refused");
const BUSY: (u16, &str) = (503, "meta_busy");
const UNCLEAR: (u16, &str) = (504, "meta_unclear");

const fn case(code: i64, answered: (u16, &'static str), says: &'static str) -> Case {
    Case {
        code,
        subcode: None,
        answered,
        says,
    }
}

/// Codes of facts §7.4, as the table has them and as the subcode of Meta's "a parameter is wrong".
const WRITTEN: &[(i64, &str)] = &[
    (2_388_019, "has too many templates. Delete some."),
    (2_388_040, "is too long. Shorten it."),
    (2_388_047, "Correct the header."),
    (2_388_072, "Correct the body."),
    (2_388_073, "Correct the footer."),
    (2_388_293, "Use fewer variables or more text."),
    (2_388_299, "Put words around it."),
];

const OTHERS: &[Case] = &[
    case(100, REFUSED, "A parameter"),
    case(190, REFUSED, "Connect the business again"),
    case(200, REFUSED, "Give the system user access"),
    case(368, REFUSED, "Business Support"),
    case(80_007, BUSY, "Nothing was done: ask again in 120 seconds"),
    case(4, BUSY, "Nothing was done: ask again in 120 seconds"),
];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (code, says) in WRITTEN {
        cases.push(case(*code, REFUSED, says));
        let subcode = Some(*code);
        cases.push(Case {
            subcode,
            ..case(100, REFUSED, says)
        });
    }
    cases.extend(OTHERS.iter().map(|one| Case { ..*one }));
    cases
}

fn script(street: &Street, code: i64, subcode: Option<i64>) {
    let kind = FaultKind::RefuseTemplate {
        code,
        subcode,
        details: Some("Meta's own words".to_owned()),
    };
    street.meta.fault(Fault::next(kind).of_number(WABA));
}

fn draft(name: &str) -> Value {
    json!({"name": name, "language": "en", "category": "UTILITY", "components": words("today")})
}

fn words(end: &str) -> Value {
    let text = format!("Your order {{{{1}}}} has left our house {end}.");
    json!([{"type": "BODY", "text": text, "example": {"body_text": [["4711"]]}}])
}

fn check(case: &Case, told: &Answer) {
    let asked = (case.code, case.subcode);
    assert_eq!((told.status, told.problem()), case.answered, "{asked:?}");
    let detail = told.body["detail"].as_str().expect("a detail");
    assert!(detail.contains(case.says), "{asked:?}: {detail}");
    assert!(detail.contains("Meta's own words"), "{asked:?}: {detail}");
    let code = case.subcode.unwrap_or(case.code);
    assert!(
        detail.contains(&format!("code {code}")),
        "{asked:?}: {detail}"
    );
    let wait = if case.answered == BUSY { "120" } else { "" };
    assert_eq!(told.header("retry-after"), wait, "{asked:?}");
}

/// Rows of the registry, of its history, and of changes that were recorded.
async fn kept(database: &TestDatabase) -> [i64; 3] {
    let rows = database.count("SELECT COUNT(*) FROM template").await;
    let told = database
        .count("SELECT COUNT(*) FROM template_history")
        .await;
    let record = "SELECT COUNT(*) FROM audit_entry WHERE action LIKE 'template.%'";
    [rows, told, database.count(record).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_meta_refuses_is_told_with_what_mends_it_and_leaves_nothing() {
    for_each_database(async |database| {
        let old = spec("order_old", "en", "Your order has left.");
        let street = Street::open(&database, vec![old], |_| {}).await;
        street.synced(&database).await;
        let old = street
            .template("order_old", "en")
            .await
            .expect("it is known");
        let path = format!("/templates/{}", old["id"].as_str().expect("an id"));
        let before = kept(&database).await;
        for case in cases() {
            script(&street, case.code, case.subcode);
            let created = street
                .ground
                .post(&street.key, "/templates", &draft("order_new"))
                .await;
            check(&case, &created);
            script(&street, case.code, case.subcode);
            let edit = json!({"components": words("just now")});
            let edited = street.ground.patch(&street.key, &path, "", &edit).await;
            check(&case, &edited);
        }
        assert_eq!(kept(&database).await, before);
        assert_eq!(street.get(&path).await, old);

        // Meta may have done it: the template is asked for again, and nothing of it is believed before.
        script(&street, 1, None);
        let edit = json!({"components": words("just now")});
        let edited = street.ground.patch(&street.key, &path, "", &edit).await;
        assert_eq!((edited.status, edited.problem()), UNCLEAR, "{edited:?}");
        assert_eq!(street.get(&path).await["components"], old["components"]);
        street.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_ends_a_row_of_languages_and_the_same_request_goes_later() {
    for_each_database(async |database| {
        let street = Street::open(&database, Vec::new(), |_| {}).await;
        street.synced(&database).await;
        let ground = &street.ground;
        // A review would tell of itself, and that would be news beside this.
        street.meta.set_reviews(ReviewPolicy {
            decision: ReviewDecision::Wait,
            ..ReviewPolicy::default()
        });
        let post = async || {
            let request = ground.request("POST", "/api/v1/templates", &street.key);
            let request = request.header("idempotency-key", "one");
            answer(request.json(&draft("order_update"))).await
        };
        script(&street, 80_007, None);
        let busy = post().await;
        assert_eq!((busy.status, busy.problem()), BUSY, "{busy:?}");
        let created = post().await;
        assert_eq!(
            (created.status, created.header("idempotency-replayed")),
            (201, ""),
            "{created:?}"
        );

        let id = created.body["template"]["id"].as_str().expect("an id");
        let mut languages = Vec::new();
        for language in ["de", "fr", "it"] {
            languages.push(json!({"language": language}));
        }
        // The first is too long for Meta's taste, which ends nothing; the second is one call too many.
        script(&street, 100, Some(2_388_040));
        script(&street, 80_007, None);
        let copied = json!({"languages": languages});
        let copied = ground
            .post(&street.key, &format!("/templates/{id}/languages"), &copied)
            .await;
        assert_eq!(copied.status, 200, "{copied:?}");
        let problems = [
            "Shorten it.",
            "ask again in 120 seconds",
            "ask again in 120 seconds",
        ];
        for (place, says) in problems.into_iter().enumerate() {
            let item = &copied.body["items"][place];
            assert!(item["template"].is_null(), "{copied:?}");
            let problem = item["problem"].as_str().expect("a problem");
            assert!(problem.contains(says), "{place}: {problem}");
        }
        assert_eq!(database.count("SELECT COUNT(*) FROM template").await, 1);
        street.end().await;
    })
    .await;
}
