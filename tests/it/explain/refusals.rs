//! Messages that the real gateway refused, explained by its API, with the rows behind the evidence. That every reason there
//! is has its text, `gateway/src/explain/tests.rs` shows; the checklist's API is tried beside.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::domain::{Clock, ContactId, TenantId, Timestamp};
use vestibule::policy::{ConsentState, ConsentWord};
use vestibule::storage::claims;
use vestibule::storage::people::{self, Consent};
use vestibule::tenants::holds::{self, Scope};
use vestibule_tests::for_each_database;

use crate::api::Ground;
use crate::events::business;

struct Place {
    tenant: TenantId,
    key: String,
    talk: String,
    contact: ContactId,
}

impl Place {
    async fn of(ground: &Ground) -> Self {
        let (tenant, key, talk) = business(ground, "acme", 0).await;
        let row = ground.get(&key, &format!("/conversations/{talk}")).await;
        let contact = row.body["contact"]["id"].as_str().expect("a contact");
        Self {
            contact: contact.parse().expect("an id"),
            tenant,
            key,
            talk,
        }
    }

    /// Writes, and is refused; what explain tells of it.
    async fn refused(&self, ground: &Ground, body: &Value) -> Value {
        let path = format!("/conversations/{}/messages", self.talk);
        let refused = ground.post(&self.key, &path, body).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (409, "refused"),
            "{refused:?}"
        );
        let send = refused.body["refusal"]["send"].as_str().expect("an id");
        let told = ground.get(&self.key, &format!("/explain?id={send}")).await;
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!(
            told.body["stops"][0]["reason"],
            refused.body["refusal"]["reason"]
        );
        told.body
    }

    /// Meta answered 131047 a second after the person's last message.
    async fn close_window(&self, ground: &Ground) {
        let talk = self.talk.parse().expect("an id");
        let at = ground.clock.now().plus(Duration::from_secs(1));
        let mut tx = ground.setup().db.begin().await.expect("a transaction");
        claims::close_window(&mut tx, self.tenant, talk, at)
            .await
            .expect("written");
        tx.commit().await.expect("a commit");
    }

    async fn consent(&self, ground: &Ground, state: ConsentState) {
        let mut tx = ground.setup().db.begin().await.expect("a transaction");
        let rows = people::lock_consent_all_tenants(&mut tx, &[self.contact])
            .await
            .expect("rows");
        let row = *rows.of(self.contact).expect("a row");
        let changed = people::set_consent(&mut tx, self.tenant, &Consent { state, ..row }).await;
        assert!(changed.expect("written"));
        tx.commit().await.expect("a commit");
    }
}

fn text(body: &str) -> Value {
    json!({"content": {"type": "text", "body": body}})
}

fn template(class: &str, parameters: Value) -> Value {
    json!({"content": {"type": "template", "name": "news", "language": "en", "parameters": parameters}, "class": class})
}

/// The stop as a page, without what differs from run to run.
fn page(told: &Value, began: Timestamp) -> String {
    let stop = &told["stops"][0];
    let mut page = String::new();
    let line = |name: &str| format!("{name}: {}\n", stop[name]);
    for name in [
        "rule",
        "reason",
        "meta_code",
        "gate",
        "evidence",
        "because",
        "allowed",
        "from",
        "mended_by",
        "again",
    ] {
        page += &line(name);
    }
    without_times(&without_ids(&page), began)
}

fn without_ids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('_') {
        let (head, tail) = rest.split_at(at + 1);
        out += head;
        let id = tail.chars().take_while(char::is_ascii_alphanumeric).count();
        rest = tail;
        if id == 13 && tail[..id].chars().any(|c| c.is_ascii_digit()) {
            out += "…";
            rest = &tail[id..];
        }
    }
    out + rest
}

/// Times as seconds after the beginning.
fn without_times(text: &str, began: Timestamp) -> String {
    // Meta's times are whole seconds, and the test's second is whichever it began in.
    let began = began.millis().div_euclid(1000) * 1000;
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let time = rest
            .get(..24)
            .filter(|time| time.ends_with('Z') && time.starts_with("20"));
        let time = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
        if let Some(time) = time {
            let seconds = (time.as_millisecond() - began).div_euclid(1000);
            let _ = write!(out, "T{seconds:+}");
            rest = &rest[24..];
        } else {
            let next = rest.chars().next().expect("not empty");
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_refuses_is_explained_by_its_rows() {
    for_each_database(async |database| {
        let ground = Ground::with(&database, |deployment| {
            deployment.with("api.requests_per_minute", "60000")
        })
        .await;
        let place = Place::of(&ground).await;
        let began = ground.clock.now();
        let tenant = place.tenant.to_string();
        let mut pages = String::new();
        let mut add = |name: &str, told: &Value| {
            let _ = write!(pages, "## {name}\n{}\n", page(told, began));
        };

        let scopes = [
            (
                "the tenant is held",
                Scope::Tenant {
                    tenant: tenant.clone(),
                },
            ),
            (
                "all templates are held",
                Scope::AllTemplates {
                    tenant: tenant.clone(),
                },
            ),
            ("everything is held", Scope::All),
            (
                "the token is held",
                Scope::Credential {
                    tenant: tenant.clone(),
                    credential: "main".to_owned(),
                },
            ),
        ];
        for (name, scope) in scopes {
            let lasts = (name == "everything is held").then_some(Duration::from_secs(3600));
            let hold = holds::add(ground.setup(), &scope, "a drill", "ops", lasts)
                .await
                .expect("a hold");
            ground.node.directory.refresh().await.expect("setup reads");
            add(
                name,
                &place
                    .refused(&ground, &template("utility", json!([])))
                    .await,
            );
            holds::lift(ground.setup(), hold.id).await.expect("lifted");
            ground.node.directory.refresh().await.expect("setup reads");
        }

        add(
            "too long",
            &place.refused(&ground, &text(&"x".repeat(4097))).await,
        );
        add(
            "a blank parameter",
            &place
                .refused(&ground, &template("utility", json!([{"value": " "}])))
                .await,
        );
        let address =
            json!({"content": {"type": "address_message", "body": "Where to?", "country": "IN"}});
        add(
            "no address from there",
            &place.refused(&ground, &address).await,
        );

        let at = Timestamp::from_secs(began.millis() / 1000);
        let none = ConsentState::default();
        let said = |word| none.after_inbound(Some(word), at).0;
        place.consent(&ground, said(ConsentWord::OptOutAll)).await;
        add(
            "news after STOP",
            &place
                .refused(&ground, &template("utility", json!([])))
                .await,
        );
        add(
            "an answer after STOP",
            &place.refused(&ground, &text("hi")).await,
        );
        place
            .consent(&ground, said(ConsentWord::OptOutMarketing))
            .await;
        add(
            "advertising after CANCEL",
            &place
                .refused(&ground, &template("marketing", json!([])))
                .await,
        );
        place.consent(&ground, none.after_meta_stop(at)).await;
        add(
            "advertising, stopped in WhatsApp",
            &place
                .refused(&ground, &template("marketing", json!([])))
                .await,
        );
        place.consent(&ground, none).await;

        place.close_window(&ground).await;
        let closed = place.refused(&ground, &text("my secret offer")).await;
        add("after Meta's 131047", &closed);
        insta::assert_snapshot!("rows", pages);

        // Nothing of what was to be said is kept, and who looks at what happens sees no address either.
        let id = closed["about"]["id"].as_str().expect("an id");
        let auditor = ground.key(place.tenant, Role::Auditor).await;
        let seen = ground.get(&auditor, &format!("/explain?id={id}")).await;
        let seen = seen.body.to_string();
        assert!(
            !seen.contains("secret") && !seen.contains("49151"),
            "{seen}"
        );
        let kept = database
            .texts("SELECT ruling FROM refusal")
            .await
            .join("\n");
        assert!(
            !kept.contains("secret") && !kept.contains("49151"),
            "{kept}"
        );

        // Another tenant's is nobody's; a bad question says what is wrong with it.
        let second = ground.tenant("second").await;
        let stranger = ground.key(second, Role::TenantAdmin).await;
        let theirs = ground.get(&stranger, &format!("/explain?id={id}")).await;
        let nobodys = ground.get(&stranger, "/explain?id=out_0000000000007").await;
        assert_eq!((theirs.status, nobodys.status), (404, 404), "{theirs:?}");
        for wrong in [
            "/explain",
            "/explain?id=hello",
            "/explain?number=1",
            "/explain?id=out_0000000000007&number=1&person=2",
        ] {
            let answer = ground.get(&place.key, wrong).await;
            assert!([400, 422].contains(&answer.status), "{wrong}: {answer:?}");
        }
        let raw = ground
            .get(&auditor, &format!("/explain?id={id}&raw=true"))
            .await;
        assert_eq!((raw.status, raw.problem()), (400, "bad_parameter"));

        // Seen through the number: what may be sent now, and the refused ones in their order.
        let number = closed["about"]["number"].as_str().expect("a number");
        let person = format!("/explain?number={number}&person={}&steps=5", place.contact);
        let seen = ground.get(&place.key, &person).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert_eq!(seen.body["now"]["window"], "closed");
        assert_eq!(seen.body["steps"].as_array().map(Vec::len), Some(5));
        assert_eq!(seen.body["stops"][4]["reason"], "window_closed");
        checklist(&ground, &place).await;
        ground.end().await;
    })
    .await;
}

async fn checklist(ground: &Ground, place: &Place) {
    let path = format!("/tenants/{}/checklist", place.tenant);
    let list = ground.get(&ground.operator, &path).await;
    assert_eq!(
        (list.status, &list.body["ready"]),
        (200, &json!(false)),
        "{list:?}"
    );
    let own = ground.get(&place.key, "/checklist").await;
    assert_eq!(own.body["lines"], list.body["lines"]);
    let attest = json!({"item": "agents_know", "note": "briefed them on Monday"});
    let kept = ground
        .post(&place.key, "/checklist/attestations", &attest)
        .await;
    assert_eq!(kept.status, 204, "{kept:?}");
    let line = async || {
        let list = ground.get(&place.key, "/checklist").await.body;
        let lines = list["lines"].as_array().expect("lines").clone();
        lines
            .into_iter()
            .find(|line| line["item"] == "agents_know")
            .expect("a line")
    };
    let vouched = line().await;
    assert_eq!(vouched["state"], "attested");
    assert_eq!(vouched["attested"]["note"], "briefed them on Monday");
    let seen = json!({"item": "webhook_verified", "note": "it works"});
    let refused = ground
        .post(&place.key, "/checklist/attestations", &seen)
        .await;
    assert_eq!(
        refused.wrong(),
        ["/item: the line webhook_verified is seen, not attested"],
        "{refused:?}"
    );
    let withdrawn = ground
        .post(
            &place.key,
            "/checklist/withdrawals",
            &json!({"item": "agents_know"}),
        )
        .await;
    assert_eq!(withdrawn.status, 204, "{withdrawn:?}");
    assert_eq!(line().await["state"], "unknown");
    let again = ground
        .post(
            &place.key,
            "/checklist/withdrawals",
            &json!({"item": "agents_know"}),
        )
        .await;
    assert_eq!(again.status, 404, "{again:?}");
    let log = ground
        .get(&place.key, "/audit?limit=10")
        .await
        .body
        .to_string();
    assert!(
        log.contains("checklist.attest") && log.contains("checklist.withdraw"),
        "{log}"
    );
}
