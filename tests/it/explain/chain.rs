//! A message told from the webhook's bytes to its last receipt; one that was stopped in its turn; a STOP; a person. By the
//! service, and by the program with the server running and without it.

use serde_json::Value;
use vestibule::domain::TenantId;
use vestibule::explain::{Asked, Explanation, Sight, Subject, explain, text};
use vestibule::storage::readiness;
use vestibule::tenants::holds::{self, Scope};
use vestibule::tenants::{SetupContext, SetupError};
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, until};

const PHONE: &str = "4915112345678";

fn about(id: &str) -> Asked {
    Asked {
        subject: Subject::Message(id.to_owned()),
        steps: 20,
        raw: false,
    }
}

async fn told(setup: &SetupContext, tenant: TenantId, id: &str) -> Explanation {
    explain(setup, Some(tenant), &about(id), Sight::DESK)
        .await
        .expect("it is explained")
}

fn words(told: &Explanation) -> Vec<&str> {
    told.steps.iter().map(|step| step.step.as_str()).collect()
}

fn detail<'a>(told: &'a Explanation, step: &str, name: &str) -> &'a Value {
    let step = told.steps.iter().find(|one| one.step == step);
    let details = &step.expect("the step").details;
    details.get(name).unwrap_or(&Value::Null)
}

async fn id_of(database: &TestDatabase, query: &'static str) -> i64 {
    let ids = database.texts(query).await;
    ids.first().expect("a row").parse().expect("a number")
}

async fn until_count(database: &TestDatabase, query: &'static str, least: i64) {
    until(query, async || {
        (database.count(query).await >= least).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_told_from_their_bytes_to_their_end() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        let number = town.business.numbers[0].phone_number_id.clone();
        let customer = town.meta.customer(&number, PHONE).expect("a customer");
        let wamid = customer.text("hello out there").expect("sent");
        until_count(
            &database,
            "SELECT COUNT(*) FROM outbox WHERE receipt BETWEEN 2 AND 4",
            1,
        )
        .await;
        let setup = &node.context.setup;
        let tenant = "SELECT CAST(MIN(id) AS TEXT) FROM tenant";
        let tenant = TenantId::from_raw(id_of(&database, tenant).await);
        let other = "SELECT CAST(MAX(id) AS TEXT) FROM tenant";
        let other = TenantId::from_raw(id_of(&database, other).await);

        // By Meta's id of what the customer wrote.
        let chain = told(setup, tenant, &wamid).await;
        let page = text::text(&chain);
        assert_eq!(
            words(&chain)[..6],
            ["webhook", "attached", "turn", "call", "decision", "outbox"],
            "{page}"
        );
        assert_eq!(words(&chain).last(), Some(&"receipt"), "{page}");
        assert!(page.contains("“hello out there”"), "{page}");
        assert_eq!(detail(&chain, "call", "outcome"), "ok");
        assert!(chain.stops.is_empty() && chain.gone.is_empty(), "{page}");

        // By our id of the answer, and Meta's: the same end.
        let send = chain.steps.iter().find(|step| step.step == "outbox");
        let send = send.and_then(|step| step.id.clone()).expect("a send");
        let by_ours = told(setup, tenant, &send).await;
        let answer = by_ours.about.wamid.clone().expect("Meta's id");
        assert!(
            ["delivered", "read"].contains(&by_ours.outcome.as_str()),
            "{by_ours:?}"
        );
        let by_metas = told(setup, tenant, &answer).await;
        assert_eq!(by_metas.about.id.as_deref(), Some(send.as_str()));

        // Who may not see texts sees neither them nor the number; another tenant sees nothing.
        let masked = explain(setup, Some(tenant), &about(&wamid), Sight::MASKED).await;
        let masked = serde_json::to_string(&masked.expect("told")).expect("JSON");
        for secret in ["hello out there", PHONE, &wamid, &answer] {
            assert!(!masked.contains(secret), "{secret}: {masked}");
        }
        let event = chain.about.id.clone().expect("an event");
        for id in [&wamid, &answer, &send, &event] {
            let theirs = explain(setup, Some(other), &about(id), Sight::ADMIN).await;
            assert!(
                matches!(theirs, Err(SetupError::NotFound { .. })),
                "{theirs:?}"
            );
        }

        // The bytes: for those who may, and it is written down.
        let raw = Asked {
            raw: true,
            ..about(&event)
        };
        let seen = explain(setup, Some(tenant), &raw, Sight::DESK)
            .await
            .expect("told");
        assert_eq!(detail(&seen, "webhook", "raw"), &Value::Null);
        let seen = explain(setup, Some(tenant), &raw, Sight::ADMIN)
            .await
            .expect("told");
        let bytes = detail(&seen, "webhook", "raw")
            .as_str()
            .expect("bytes")
            .to_owned();
        assert!(
            bytes.contains("hello out there") && !bytes.contains("\"entry\""),
            "{bytes}"
        );
        let looks = "SELECT COUNT(*) FROM audit_entry WHERE action = 'message.explain'";
        assert_eq!(database.count(looks).await, 1);

        // Stopped in its turn: the draft stands in the journal alone.
        let scope = Scope::Plugin {
            tenant: tenant.to_string(),
            plugin: "echo".to_owned(),
        };
        let hold = holds::add(setup, &scope, "a drill", "the tests", None)
            .await
            .expect("a hold");
        node.directory.refresh().await.expect("setup reads");
        let refused = customer.text("and now?").expect("sent");
        until_count(
            &database,
            "SELECT COUNT(*) FROM inbound_event WHERE kind = 1 AND state = 1",
            2,
        )
        .await;
        let chain = told(setup, tenant, &refused).await;
        let stop = chain
            .stops
            .first()
            .unwrap_or_else(|| panic!("{}", text::text(&chain)));
        assert_eq!(
            (stop.reason.as_str(), stop.meta_code),
            ("hold_plugin", 131_031)
        );
        assert_eq!(stop.evidence["placed_by"], "the tests");
        assert_eq!(stop.evidence["hold"], hold.id.to_string().as_str());
        assert_eq!(
            stop.again.as_ref().map(|again| again.decision.as_str()),
            Some("refused")
        );
        let draft = stop.id.clone().expect("a draft");
        let by_draft = told(setup, tenant, &draft).await;
        assert_eq!(by_draft.outcome, "refused");
        assert_eq!(by_draft.stops, chain.stops);
        let theirs = explain(setup, Some(other), &about(&draft), Sight::ADMIN).await;
        assert!(
            matches!(theirs, Err(SetupError::NotFound { .. })),
            "{theirs:?}"
        );

        // A word about consent: obeyed, confirmed, and what stands in the way since.
        let stop = customer.text("STOP").expect("sent");
        until_count(
            &database,
            "SELECT COUNT(*) FROM outbox WHERE class = 1 AND state = 2",
            1,
        )
        .await;
        until_count(
            &database,
            "SELECT COUNT(*) FROM inbound_event WHERE kind = 1 AND state = 1",
            3,
        )
        .await;
        let chain = told(setup, tenant, &stop).await;
        let page = text::text(&chain);
        assert_eq!(detail(&chain, "word", "word"), "consent", "{page}");
        assert!(page.contains("to confirm a word about consent"), "{page}");
        let person = Asked {
            subject: Subject::Person {
                number: number.clone(),
                person: format!("+{PHONE}"),
            },
            ..about("")
        };
        let seen = explain(setup, Some(tenant), &person, Sight::DESK)
            .await
            .expect("told");
        let page = text::text(&seen);
        let now = seen.now.as_ref().expect("a state");
        assert_eq!(
            (now.window.as_str(), now.opt_out.as_str()),
            ("open", "business_initiated")
        );
        let may = |what: &str| {
            let line = now.may_send.iter().find(|line| line.what == what);
            line.and_then(|line| line.reason.clone())
        };
        assert_eq!(may("reply").as_deref(), Some("replies_stopped"), "{page}");
        assert_eq!(
            may("utility_template").as_deref(),
            Some("opted_out"),
            "{page}"
        );
        assert!(
            seen.stops.iter().any(|stop| stop.reason == "hold_plugin"),
            "{page}"
        );
        assert!(page.contains("“and now?”"), "{page}");
        let theirs = explain(setup, Some(other), &person, Sight::ADMIN).await;
        assert!(
            matches!(theirs, Err(SetupError::NotFound { .. })),
            "{theirs:?}"
        );

        // The checklist sees the same.
        let mut tx = setup.db.read().await.expect("a transaction");
        assert!(
            readiness::last_answer_delivered(&mut tx, tenant)
                .await
                .expect("read")
                .is_some()
        );
        drop(tx);
        let list = vestibule::checklist::of(setup, tenant)
            .await
            .expect("a list");
        let of = |word: &str| {
            list.lines
                .iter()
                .find(|line| line.item.word() == word)
                .expect("a line")
        };
        for item in ["opt_out_tested", "tried_as_customer"] {
            assert_eq!(
                of(item).state,
                vestibule::checklist::State::Ok,
                "{:?}",
                of(item)
            );
        }

        // By the program: with the server, and without it.
        let say_stop = ["tenant", "checklist", "tenant-0", "--say-stop"];
        let list = town.deployment.run("node", &say_stop, &[]).await;
        assert!(list.contains("✓ opt_out_tested"), "{list}");
        let page = town
            .deployment
            .run("node", &["explain", &answer], &[])
            .await;
        assert!(
            page.contains("  ✓  webhook") && page.contains(&send),
            "{page}"
        );
        node.end().await;
        let page = town
            .deployment
            .run(
                "node",
                &["explain", &number, PHONE, "--tenant", "tenant-0"],
                &[],
            )
            .await;
        assert!(page.contains("✗ reply: The person has opted out"), "{page}");
        let list = town
            .deployment
            .run("node", &["tenant", "checklist", "tenant-0"], &[])
            .await;
        assert!(
            list.contains("✓ opt_out_tested") && list.contains("✗ use_cases"),
            "{list}"
        );
        let attest = [
            "tenant",
            "attest",
            "tenant-0",
            "agents_know",
            "--note",
            "briefed them",
        ];
        let list = town.deployment.run("node", &attest, &[]).await;
        assert!(list.contains("☑ agents_know"), "{list}");

        // What retention took is said.
        database.execute("DELETE FROM inbound_raw").await;
        database.execute("DELETE FROM turn").await;
        let page = town
            .deployment
            .run("node", &["explain", &send, "--json"], &[])
            .await;
        let old: Value = serde_json::from_str(&page).expect("JSON");
        assert_eq!(old["gone"].as_array().map(Vec::len), Some(1), "{page}");
    })
    .await;
}
