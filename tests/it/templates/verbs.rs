//! `vestibule template …` and `vestibule permission`, as an operator types them.

use serde_json::{Value, json};
use vestibule::simulator::{
    Fault, FaultKind, ReviewDecision, ReviewPolicy, Signature, TemplateSpec,
};
use vestibule_tests::town::{Town, body, message, now_secs};
use vestibule_tests::{Kind, TestDatabase, until};

const TENANT: &str = "tenant-0";
const CUSTOMER: &str = "4915155500001";

/// The program and the node that it speaks to.
struct Operator {
    town: Town,
}

impl Operator {
    /// What the verb printed as JSON.
    async fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        let printed = self.town.deployment.run("node", &arguments, &[]).await;
        serde_json::from_str(&printed).expect("JSON")
    }

    /// How a verb that must not succeed ended: what it printed, and what it said of it.
    async fn fails(&self, arguments: &[&str]) -> (String, String) {
        let mut command = tokio::process::Command::from(self.town.deployment.command("node"));
        let output = command.args(arguments).output().await.expect("it starts");
        assert!(!output.status.success(), "{output:?}");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    }

    /// A file beside the node's.
    fn file(&self, name: &str, content: &Value) -> String {
        let path = self.town.deployment.data_dir(name);
        std::fs::write(&path, content.to_string()).expect("written");
        path.display().to_string()
    }

    /// `name status category` of every template that is listed.
    async fn listed(&self, more: &[&str]) -> Vec<String> {
        let rows = self
            .json(&[&["template", "list", TENANT], more].concat())
            .await;
        let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let line = |row: &Value| {
            ["name", "status", "category"]
                .map(|name| word(row, name))
                .join(" ")
        };
        rows.as_array().expect("a list").iter().map(line).collect()
    }
}

fn draft(name: &str, text: &str) -> Value {
    json!({"name": name, "language": "en", "category": "UTILITY", "components": [
        {"type": "BODY", "text": text, "example": {"body_text": [["4711"]]}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_synced_listed_linted_created_and_deleted_and_permission_is_told() {
    let database = TestDatabase::fresh(Kind::Sqlite).await.expect("a database");
    let town = Town::without_plugin(&database).await;
    let (account, number) = {
        let number = &town.business.numbers[0];
        (number.waba_id.clone(), number.phone_number_id.clone())
    };
    for (name, text) in [
        ("order_update", "Your order is here."),
        ("spring_sale", "It is spring."),
    ] {
        let spec = TemplateSpec::approved(&account, name, "en", text);
        town.meta.put_template(spec);
    }
    let operator = Operator { town };
    lints(&operator).await;

    // Two accounts: which one has to be said. Nothing runs yet, so the job waits.
    let (_, said) = operator.fails(&["template", "sync", TENANT]).await;
    assert!(said.contains("account"), "{said}");
    let sync = ["template", "sync", TENANT, "--account", &account];
    let job = operator.json(&sync).await;
    assert_eq!(
        (&job["account"], &job["state"]),
        (&json!(account), &json!("queued"))
    );
    assert!(operator.listed(&[]).await.is_empty());
    let node = operator.town.deployment.start("node").await;
    let hook = node.webhook_url();
    operator.town.meta.set_webhook(&hook, None).expect("a URL");
    until("the sync is done", async || {
        (operator.listed(&[]).await.len() == 2).then_some(())
    })
    .await;
    let all = [
        "order_update APPROVED UTILITY",
        "spring_sale APPROVED UTILITY",
    ];
    assert_eq!(operator.listed(&[]).await, all);
    assert_eq!(operator.listed(&["--name", "spring_sale"]).await, all[1..]);
    assert!(operator.listed(&["--status", "PAUSED"]).await.is_empty());

    creates_and_deletes(&operator, &account).await;
    permission(&operator, &account, &number).await;
}

/// Without a node, a database or Meta.
async fn lints(operator: &Operator) {
    let good = operator.file(
        "good.json",
        &draft("parcel", "Your parcel {{1}} has left our house today."),
    );
    let printed = operator
        .town
        .deployment
        .run("node", &["template", "lint", &good], &[])
        .await;
    assert_eq!(printed, "nothing to say: it may be submitted\n");
    let bad = operator.file(
        "bad.json",
        &draft("parcel", "{{1}} has left our house today."),
    );
    let (printed, _) = operator.fails(&["template", "lint", &bad]).await;
    assert!(
        printed.starts_with("error[variable_at_start] /components/0/text: "),
        "{printed}"
    );
    let (_, said) = operator
        .fails(&["template", "lint", "/nonexistent.json"])
        .await;
    assert!(said.contains("/nonexistent.json cannot be read"), "{said}");
    let none = operator.file("none.json", &json!({"name": "parcel"}));
    let (_, said) = operator.fails(&["template", "lint", &none]).await;
    assert!(said.contains("is no template"), "{said}");
}

async fn creates_and_deletes(operator: &Operator, account: &str) {
    // Of a review there would be a webhook in the same second, and that would be the later word.
    operator.town.meta.set_reviews(ReviewPolicy {
        decision: ReviewDecision::Wait,
        ..ReviewPolicy::default()
    });
    let file = operator.file(
        "bad.json",
        &draft("parcel", "{{1}} has left our house today."),
    );
    let create = ["template", "create", TENANT, &file, "--account", account];
    let (_, said) = operator.fails(&create).await;
    assert!(said.contains("error[variable_at_start]"), "{said}");
    let file = operator.file(
        "good.json",
        &draft("parcel", "Your parcel {{1}} has left our house today."),
    );
    let create = ["template", "create", TENANT, &file, "--account", account];
    refused(operator, account, &create).await;
    let created = operator.json(&create).await;
    assert_eq!(
        (&created["name"], &created["category"]),
        (&json!("parcel"), &json!("UTILITY"))
    );
    // Meta knows it by now.
    let (_, said) = operator.fails(&create).await;
    assert!(said.contains("Meta refused it with code"), "{said}");
    let id = created["id"].as_str().expect("an id");
    let listed = operator.listed(&["--name", "parcel"]).await;
    assert_eq!(listed, ["parcel PENDING UTILITY"]);
    let deleted = operator.json(&["template", "delete", TENANT, id]).await;
    assert_eq!(deleted[0]["name"], "parcel");
    let (_, said) = operator
        .fails(&["template", "delete", "tenant-1", id])
        .await;
    assert!(said.contains("template"), "another tenant's: {said}");
    let shown = operator.json(&["template", "show", TENANT, id]).await;
    assert_eq!(shown["status"], "DELETED", "its row stays");
}

/// By Meta, with what mends it or how long to wait; the same line works afterwards.
async fn refused(operator: &Operator, account: &str, create: &[&str]) {
    let says = [
        (Some(2_388_072), 100, "Correct the body."),
        (None, 80_007, "ask again in 120 seconds"),
    ];
    for (subcode, code, says) in says {
        let kind = FaultKind::RefuseTemplate {
            code,
            subcode,
            details: None,
        };
        operator
            .town
            .meta
            .fault(Fault::next(kind).of_number(account));
        let (printed, said) = operator.fails(create).await;
        assert!(
            printed.is_empty() && said.contains(says),
            "{printed} {said}"
        );
        assert!(operator.listed(&["--name", "parcel"]).await.is_empty());
    }
}

async fn permission(operator: &Operator, account: &str, number: &str) {
    let person = format!("+{CUSTOMER}");
    let ask = ["permission", TENANT, number, &person];
    let (_, said) = operator.fails(&ask).await;
    assert!(said.contains(&format!("contact `{person}`")), "{said}");
    says(operator, account, number, 1, "hello").await;
    let forms = allowed(operator, &ask).await;
    assert!(
        forms.contains(&("free_form".to_owned(), "allowed".to_owned())),
        "{forms:?}"
    );
    let marketing = ("marketing_template".to_owned(), "allowed".to_owned());
    assert!(forms.contains(&marketing), "{forms:?}");

    says(operator, account, number, 2, "STOP").await;
    let forms = allowed(operator, &ask).await;
    assert!(!forms.contains(&marketing), "{forms:?}");
    let (_, said) = operator
        .fails(&["permission", TENANT, "999", &person])
        .await;
    assert!(said.contains("number `999`"), "{said}");

    // With the states of the account's templates, which are read for it.
    let ask = ["explain", number, &person, "--tenant", TENANT];
    let told = operator.json(&ask).await;
    let steps = told["steps"].as_array().expect("a history");
    assert!(!steps.is_empty(), "{told}");
}

/// Waits until what a person says is attached.
async fn says(operator: &Operator, account: &str, number: &str, n: usize, words: &str) {
    let message = message(n, CUSTOMER, words, now_secs());
    let body = body(&[(account, number, vec![message])]);
    let answers = operator
        .town
        .meta
        .deliver_body(body, Signature::Valid, 1)
        .await;
    assert_eq!(answers.expect("an answer")[0].as_u16(), 200);
    let person = format!("+{CUSTOMER}");
    let wanted = if n == 1 { "allowed" } else { "refused" };
    until("the message is attached", async || {
        let ask = ["permission", TENANT, number, &person];
        let mut command = tokio::process::Command::from(operator.town.deployment.command("node"));
        let output = command
            .args(ask)
            .arg("--json")
            .output()
            .await
            .expect("it starts");
        let rows: Value = serde_json::from_slice(&output.stdout).ok()?;
        let rows = rows.as_array()?;
        let marketing = rows
            .iter()
            .find(|row| row["form"] == "marketing_template")?;
        (marketing["verdict"] == wanted).then_some(())
    })
    .await;
}

/// Form and verdict of each row.
async fn allowed(operator: &Operator, ask: &[&str]) -> Vec<(String, String)> {
    let rows = operator.json(ask).await;
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let pair = |row: &Value| (word(row, "form"), word(row, "verdict"));
    rows.as_array().expect("a list").iter().map(pair).collect()
}
