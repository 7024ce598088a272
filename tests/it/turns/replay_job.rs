//! A replay by the API: a job, its report, its cancellation; the candidate runs in a process of its own.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use vestibule::domain::{ContactId, ConversationId, TenantId};
use vestibule::replay::words;
use vestibule_tests::town::Town;
use vestibule_tests::{
    Deployment, GatewayProcess, Program, TestDatabase, for_each_database, guests, until,
};

use super::replay::{installation, installation_of};
use super::{all_done, say};

/// A node with turns of 20 customers, an uploaded candidate that greets more warmly, and an operator's key.
pub(super) struct Rehearsed {
    pub(super) node: GatewayProcess,
    client: reqwest::Client,
    key: String,
    tenant: String,
    installation: String,
    pub(super) digest: String,
    /// It is what the node writes to and asks.
    _town: Town,
}

impl Rehearsed {
    pub(super) async fn on(database: &TestDatabase) -> Self {
        let town = Town::with_plugin(database, guests::ECHO, &[]).await;
        let node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        for customer in 0..20 {
            let words = ["hello", "where is my order"][usize::from(customer % 5 != 0)];
            say(&town, 0, customer, words);
        }
        all_done(&town, database).await;
        let made = ["key", "add", "--operator", "--json"];
        let made = town.deployment.run("node", &made, &[]).await;
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let mut rehearsed = Self {
            node,
            client: reqwest::Client::builder().build().expect("a client"),
            key: made["key"].as_str().expect("shown once").to_owned(),
            tenant: String::new(),
            installation: installation(database).await,
            digest: String::new(),
            _town: town,
        };
        rehearsed.become_tenant(0).await;
        rehearsed.digest = rehearsed.upload(guests::ECHO_WARMLY).await;
        rehearsed
    }

    /// From now on everything is asked of the first tenant, or of the second.
    pub(super) async fn become_tenant(&mut self, number: usize) {
        self.tenant.clear();
        let tenants = self.ask("GET", "/tenants", &Value::Null).await.1;
        let name = self._town.business.tenants[number].as_str();
        let items = tenants["items"].as_array().expect("a list");
        let own = items.iter().find(|tenant| tenant["name"] == name);
        let id = own.expect("the tenant")["id"].as_str().expect("an id");
        self.tenant = format!("?tenant={id}");
    }

    /// The second tenant asks for replays of its own installation, with its own upload.
    pub(super) async fn become_second_tenant(&mut self, database: &TestDatabase) {
        self.become_tenant(1).await;
        self.installation = installation_of(database, 1).await;
        self.digest = self.upload(guests::ECHO_WARMLY).await;
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        let url = format!("http://{}/api/v1{path}{}", self.node.http(), self.tenant);
        self.client.request(method, url).bearer_auth(&self.key)
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = self.request(method, path);
        let request = if body.is_null() {
            request
        } else {
            request.json(body)
        };
        let answer = request.send().await.expect("answered");
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or_default(),
        )
    }

    async fn upload(&self, component: &[u8]) -> String {
        let request = self
            .request("POST", "/plugins")
            .header("content-type", "application/wasm");
        let answer = request
            .body(component.to_vec())
            .send()
            .await
            .expect("answered");
        let body: Value = answer.json().await.expect("JSON");
        body["digest"]
            .as_str()
            .unwrap_or_else(|| panic!("{body}"))
            .to_owned()
    }

    pub(super) async fn replay(&self, body: &Value) -> (u16, Value) {
        let path = format!("/installations/{}/replays", self.installation);
        self.ask("POST", &path, body).await
    }

    pub(super) async fn ended(&self, job: &Value) -> Value {
        let path = format!(
            "/jobs/{}",
            job["id"].as_str().unwrap_or_else(|| panic!("{job}"))
        );
        until("the job is over", async || {
            let job = self.ask("GET", &path, &Value::Null).await.1;
            job["ended_at"].is_string().then_some(job)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_by_the_api_is_a_job_with_the_report_as_its_result() {
    for_each_database(async |database| {
        let mut rehearsed = Rehearsed::on(&database).await;
        let since = "2020-01-01T00:00:00Z";
        let whole =
            json!({"digest": rehearsed.digest, "since": since, "bounds": ["different>19%"]});
        let (status, job) = rehearsed.replay(&whole).await;
        assert_eq!(
            (status, &job["kind"]),
            (202, &json!("installations.replay")),
            "{job}"
        );
        let job = rehearsed.ended(&job).await;
        let result = &job["result"];
        assert_eq!(
            (&job["state"], &job["done"]),
            (&json!("done"), &json!(20)),
            "{job}"
        );
        assert_eq!(
            (&result["same"], &result["different"]),
            (&json!(16), &json!(4)),
            "{job}"
        );
        assert_eq!(
            (&result["broken_bounds"], &result["gate"]),
            (&json!(["different>19%"]), &json!("failed"))
        );
        assert_eq!(
            result["differences"][0]["after"],
            json!([r#"says "hello, dear""#])
        );
        // Lists of jobs are for those too who may not read conversations.
        let listed = rehearsed.ask("GET", "/jobs", &Value::Null).await.1;
        assert!(!listed.to_string().contains("hello"), "{listed}");

        let unknown = json!({"digest": "0".repeat(64), "since": since});
        assert_eq!(rehearsed.replay(&unknown).await.0, 422);
        let bounds = json!({"digest": rehearsed.digest, "since": since, "bounds": ["speed>1"]});
        let (status, refused) = rehearsed.replay(&bounds).await;
        assert_eq!(
            (status, &refused["errors"][0]["pointer"]),
            (422, &json!("/bounds/0")),
            "{refused}"
        );

        // Bounds that all hold where there is nothing to compare.
        let nothing = json!({"digest": rehearsed.digest, "since": "2099-01-01T00:00:00Z", "bounds": ["faults>0"]});
        let job = rehearsed.replay(&nothing).await.1;
        let result = &rehearsed.ended(&job).await["result"];
        assert_eq!(result["gate"], "nothing_compared", "{result}");

        // Another plugin in its place, and one that nobody waits for.
        let counter = rehearsed.upload(guests::COUNTER).await;
        let other = json!({"digest": counter, "since": since});
        let job = rehearsed.replay(&other).await.1;
        let job = rehearsed.ended(&job).await;
        assert_eq!(job["state"], "failed", "{job}");
        let problem = job["problem"].as_str().expect("why");
        assert!(
            problem.contains("the candidate is the plugin `counter`"),
            "{problem}"
        );
        let job = rehearsed.replay(&whole).await.1;
        let cancel = format!("/jobs/{}/cancel", job["id"].as_str().expect("an id"));
        rehearsed.ask("POST", &cancel, &Value::Null).await;
        let job = rehearsed.ended(&job).await;
        assert_ne!(job["state"], "failed", "{job}");
        assert!(rehearsed.node.terminate().await.success());
    })
    .await;
}

#[tokio::test]
async fn the_process_of_a_replay_has_its_memory_bounded_and_goes_before_the_gateway() {
    const MEMORY: usize = 96 << 20;
    let deployment = Deployment::new(Program::under_test(), "sqlite::memory:", "http://nowhere");
    let mut child = tokio::process::Command::from(deployment.command("node"))
        .args(["replay-child", &MEMORY.to_string()])
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let of = |file: &str| format!("/proc/{}/{file}", child.id().expect("it runs"));
    let (limits, score) = (of("limits"), of("oom_score_adj"));
    until("it has confined itself", async || {
        let limits = std::fs::read_to_string(&limits).ok()?;
        let data = limits
            .lines()
            .find(|line| line.starts_with("Max data size"))?;
        data.contains(&MEMORY.to_string()).then_some(())
    })
    .await;
    until("it offers itself to the kernel", async || {
        let score = std::fs::read_to_string(&score).ok()?;
        (score.trim() == "1000").then_some(())
    })
    .await;
    // One line without an end: it would hold it whole.
    let mut stdin = child.stdin.take().expect("a pipe");
    let piece = vec![b' '; 1 << 20];
    for _ in 0..(4 * MEMORY).div_ceil(piece.len()) {
        if stdin.write_all(&piece).await.is_err() {
            break;
        }
    }
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    let cry = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && cry.contains("memory allocation of"),
        "{}: {cry}",
        output.status
    );
}

/// Who is behind a difference of a report.
async fn whose(database: &TestDatabase, difference: &Value) -> ContactId {
    let conversation = difference["conversation"].as_str().expect("an id");
    let conversation: ConversationId = conversation.parse().expect("an id");
    let query = format!(
        "SELECT CAST(contact AS TEXT) FROM conversation WHERE id = {}",
        conversation.raw()
    );
    let contact = database.texts(query.leak()).await.remove(0);
    ContactId::from_raw(contact.parse().expect("a number"))
}

/// Of each difference, in their order: does it have words, or is it said that they are gone?
fn have_words(report: &Value) -> Vec<bool> {
    let differences = report["differences"].as_array().expect("a list");
    let has_words = |difference: &Value| {
        let (said, gone) = (&difference["said"], &difference["gone"]);
        let (before, after) = (&difference["before"], &difference["after"]);
        match gone == true {
            true => assert!(
                said.is_null() && before.is_null() && after.is_null(),
                "{difference}"
            ),
            false => assert_eq!(said, "hello"),
        }
        gone != true
    };
    differences.iter().map(has_words).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_in_no_report_of_a_replay() {
    for_each_database(async |database| {
        let mut rehearsed = Rehearsed::on(&database).await;
        let whole = json!({"digest": rehearsed.digest, "since": "2020-01-01T00:00:00Z"});
        let job = rehearsed.replay(&whole).await.1;
        let job = rehearsed.ended(&job).await;
        let mut report = job["result"].clone();
        assert_eq!(have_words(&report), [true; 4], "{report}");

        let first = whose(&database, &report["differences"][0]).await;
        let path = format!("/contacts/{first}/journals");
        let erasure = rehearsed.ask("DELETE", &path, &Value::Null).await.1;
        let erasure = rehearsed.ended(&erasure).await;
        assert_eq!(erasure["result"], json!({"turns": 1, "reports": 1}));
        let third = whose(&database, &report["differences"][2]).await;
        let path = format!("/contacts/{third}/erase");
        let erasure = rehearsed.ask("POST", &path, &Value::Null).await.1;
        let erasure = rehearsed.ended(&erasure).await;
        assert_eq!(erasure["state"], "done", "{erasure}");

        let path = format!("/jobs/{}", job["id"].as_str().expect("an id"));
        let now = rehearsed.ask("GET", &path, &Value::Null).await.1;
        assert_eq!(
            have_words(&now["result"]),
            [false, true, false, true],
            "{now}"
        );
        assert_eq!(
            now["result"]["different"], 4,
            "what was counted stays: {now}"
        );

        // A replay that had read their journals before, and comes to its end now.
        let tenant = rehearsed.tenant.trim_start_matches("?tenant=");
        let tenant: TenantId = tenant.parse().expect("an id");
        let db = database.open().await;
        let mut tx = db.begin().await.expect("a transaction");
        let late = words::take_out_gone(&mut tx, tenant, &mut report).await;
        late.expect("a database");
        drop(tx);
        db.close().await;
        assert_eq!(have_words(&report), [false, true, false, true], "{report}");
        assert!(rehearsed.node.terminate().await.success());
    })
    .await;
}
