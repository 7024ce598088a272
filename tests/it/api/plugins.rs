//! Plugins by the API, against a node that is a process of its own: compiling needs the program itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vestibule::access::Role;
use vestibule::reference_plugins::MENU;
use vestibule_tests::manifest::saying;
use vestibule_tests::{
    Business, Deployment, GatewayProcess, Program, TestDatabase, for_each_database, guests, until,
};

use super::Ground;
use super::ground::{Answer, answer};

/// A node that serves, and the key of an operator.
struct Served {
    node: GatewayProcess,
    deployment: Deployment,
    client: reqwest::Client,
    key: String,
    tenant: String,
}

impl Served {
    async fn on(database: &TestDatabase) -> Self {
        Self::with(database, &[]).await
    }

    async fn with(database: &TestDatabase, settings: &[(&str, &str)]) -> Self {
        let deployment =
            Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
        let deployment = settings
            .iter()
            .fold(deployment, |deployment, (key, value)| {
                deployment.with(key, value)
            });
        Business::new(1, 1, 80).onboard(&deployment, "node").await;
        let made = ["key", "add", "--operator", "--json"];
        let made: Value =
            serde_json::from_str(&deployment.run("node", &made, &[]).await).expect("JSON");
        let mut served = Self {
            node: deployment.start("node").await,
            client: reqwest::Client::builder().build().expect("a client"),
            key: made["key"].as_str().expect("shown once").to_owned(),
            deployment,
            tenant: String::new(),
        };
        let tenants = served.ask("GET", "/tenants", None).await;
        let tenant = tenants.body["items"][0]["id"].as_str().expect("an id");
        served.tenant = format!("?tenant={tenant}");
        served
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method: reqwest::Method = method.parse().expect("a method");
        let url = format!("http://{}/api/v1{path}", self.node.http());
        self.client.request(method, url).bearer_auth(&self.key)
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path);
        match body {
            Some(body) => answer(request.json(body)).await,
            None => answer(request).await,
        }
    }

    /// About the tenant.
    async fn of_tenant(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask(method, &format!("{path}{}", self.tenant), body)
            .await
    }

    async fn upload(&self, component: &[u8]) -> Answer {
        let request = self.request("POST", &format!("/plugins{}", self.tenant));
        let request = request.header("content-type", "application/wasm");
        answer(request.body(component.to_vec())).await
    }
}

fn digest(answer: &Answer) -> String {
    let digest = answer.body["digest"].as_str();
    digest.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test]
async fn a_plugin_is_uploaded_installed_changed_and_taken_out_of_service() {
    for_each_database(async |database| {
        let mut served = Served::on(&database).await;
        let uploaded = served.upload(guests::ECHO).await;
        assert_eq!(
            (uploaded.status, &uploaded.body["plugin"]),
            (201, &json!("echo")),
            "{uploaded:?}"
        );
        assert_eq!(uploaded.body["asks_for"], json!(["kv"]));
        let digest = digest(&uploaded);
        let again = served.upload(guests::ECHO).await;
        assert_eq!(again.body, uploaded.body, "the same bytes change nothing");
        let kept = served
            .of_tenant("GET", &format!("/plugins/{digest}"), None)
            .await;
        assert_eq!(kept.body, uploaded.body);
        let listed = served.of_tenant("GET", "/plugins", None).await;
        assert_eq!(listed.body["items"], json!([uploaded.body]));

        let new = json!({"digest": digest, "grants": ["kv"], "settings": {"prefix": "> "}});
        let installed = served.of_tenant("POST", "/installations", Some(&new)).await;
        assert_eq!(
            (installed.status, &installed.body["active"]["stage"]),
            (201, &json!("active")),
            "{installed:?}"
        );
        assert_eq!(installed.body["active"]["grants"]["given"], json!(["kv"]));
        let path = format!("/installations/{}", installed.id());
        let seen = served.of_tenant("GET", &path, None).await;
        assert_eq!(seen.body, installed.body);

        let change = json!({"position": 5, "grants": [], "settings": {"prefix": "! "}});
        let url = format!("{path}{}", served.tenant);
        let patch = |tag: String| {
            answer(
                served
                    .request("PATCH", &url)
                    .header("if-match", tag)
                    .json(&change),
            )
        };
        let changed = patch(seen.header("etag").to_owned()).await;
        assert_eq!(
            (changed.status, &changed.body["position"]),
            (200, &json!(5)),
            "{changed:?}"
        );
        let active = &changed.body["active"];
        assert_eq!(
            (&active["settings"]["prefix"], &active["grants"]["given"]),
            (&json!("! "), &json!([]))
        );
        let stale = patch(seen.header("etag").to_owned()).await;
        assert_eq!((stale.status, stale.problem()), (412, "changed"));
        let more = json!({"grants": ["moon", "sun"]});
        let more = answer(
            served
                .request("PATCH", &url)
                .header("if-match", "*")
                .json(&more),
        )
        .await;
        assert!(
            more.wrong()[0].ends_with("there is no grant `moon`, there is no grant `sun`"),
            "{more:?}"
        );

        assert_eq!(served.of_tenant("DELETE", &path, None).await.status, 204);
        assert_eq!(served.of_tenant("GET", &path, None).await.status, 404);
        served
            .deployment
            .run("node", &["audit", "verify"], &[])
            .await;
        served.node.terminate().await;
        let secret = served.key.split('.').next_back().expect("two parts");
        assert!(!served.node.logs().contains(secret));
    })
    .await;
}

#[tokio::test]
async fn a_version_goes_through_its_stages_by_the_api() {
    for_each_database(async |database| {
        let mut served = Served::on(&database).await;
        let first = digest(&served.upload(guests::ECHO).await);
        let second = saying(guests::ECHO, &json!({"version": "2.0.0"}));
        let second = digest(&served.upload(&second).await);
        let new = json!({"digest": first, "settings": {"prefix": "> "}});
        let installed = served.of_tenant("POST", "/installations", Some(&new)).await;
        let path = format!("/installations/{}", installed.id());
        let new = json!({"digest": second, "stage": "waiting"});
        let waits = served.of_tenant("POST", "/installations", Some(&new)).await;
        assert_eq!(waits.body["candidate"]["stage"], "waiting", "{waits:?}");
        // What is left out goes on as it was.
        assert_eq!(waits.body["candidate"]["settings"], json!({"prefix": "> "}));
        let promote = format!("{path}/promote");
        for (body, stage, percent) in [
            (json!({}), "shadow", 0),
            (json!({}), "canary", 10),
            (json!({"stage": "canary", "percent": 50}), "canary", 50),
        ] {
            let moved = served.of_tenant("POST", &promote, Some(&body)).await;
            let candidate = &moved.body["candidate"];
            assert_eq!(
                (&candidate["stage"], &candidate["percent"]),
                (&json!(stage), &json!(percent)),
                "{moved:?}"
            );
        }
        let pause = json!({"only_candidate": true});
        let paused = served
            .of_tenant("POST", &format!("{path}/pause"), Some(&pause))
            .await;
        assert_eq!(paused.body["candidate"]["stage"], "waiting");
        let active = served
            .of_tenant("POST", &promote, Some(&json!({"stage": "active"})))
            .await;
        assert_eq!(
            (&active.body["active"]["version"], &active.body["candidate"]),
            (&json!("2.0.0"), &Value::Null),
            "{active:?}"
        );
        let none = served.of_tenant("POST", &promote, Some(&json!({}))).await;
        assert_eq!((none.status, none.problem()), (409, "state"));
        let back = served
            .of_tenant("POST", &format!("{path}/rollback"), Some(&json!({})))
            .await;
        assert_eq!(back.body["active"]["version"], "0.1.0", "{back:?}");
        let versions = served
            .of_tenant("GET", &format!("{path}/versions"), None)
            .await;
        let reasons: Vec<_> = versions.body["items"]
            .as_array()
            .expect("a list")
            .iter()
            .collect();
        assert!(
            reasons[0]["reason"]
                .as_str()
                .expect("why")
                .starts_with("rolled back by "),
            "{versions:?}"
        );
        let health = served
            .ask("GET", &format!("/plugins/{second}/health"), None)
            .await;
        assert_eq!(
            (health.status, &health.body["all"]["turns"]),
            (200, &json!(0)),
            "{health:?}"
        );
        let logs = served.of_tenant("GET", &format!("{path}/logs"), None).await;
        assert_eq!((logs.status, &logs.body["items"]), (200, &json!([])));
        let stop = json!({"reason": "drill"});
        let stopped = served
            .ask("POST", &format!("/plugins/{first}/stop"), Some(&stop))
            .await;
        assert_eq!(stopped.body["installations"], 1, "{stopped:?}");
        let refused = json!({"digest": first, "stage": "waiting"});
        let refused = served
            .of_tenant("POST", "/installations", Some(&refused))
            .await;
        assert_eq!((refused.status, refused.problem()), (409, "state"));
        assert!(served.node.terminate().await.success());
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_upload_is_told_at_once() {
    for_each_database(async |database| {
        let mut served = Served::on(&database).await;
        let fields =
            json!({"version": "one", "grants": ["moon", "sun"], "interfaces": ["routing"]});
        let refused = served.upload(&saying(guests::ECHO, &fields)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        let told = refused.wrong().join("\n");
        for problem in ["`version`", "no grant `moon`", "no grant `sun`"] {
            assert!(told.contains(problem), "{problem}: {told}");
        }
        let json = answer(
            served
                .request("POST", &format!("/plugins{}", served.tenant))
                .json(&json!({})),
        )
        .await;
        assert_eq!((json.status, json.problem()), (415, "not_wasm"));
        let large = served.upload(&vec![0; (16 << 20) + 1]).await;
        assert_eq!((large.status, large.problem()), (413, "too_large"));
        let menu = digest(&served.upload(MENU).await);
        let settings = json!({"digest": menu, "settings": {"style": "opera"}});
        let settings = served
            .of_tenant("POST", "/installations", Some(&settings))
            .await;
        assert_eq!(settings.status, 422, "{settings:?}");
        assert!(
            settings.wrong()[0].starts_with("/settings/style: "),
            "{settings:?}"
        );
        let bounds = json!({"digest": menu, "bounds": {"fault_percent": 200}});
        let bounds = served
            .of_tenant("POST", "/installations", Some(&bounds))
            .await;
        assert!(
            bounds.wrong()[0].starts_with("/bounds/fault_percent"),
            "{bounds:?}"
        );
        assert!(served.node.terminate().await.success());
    })
    .await;
}

fn with_a_wrong_import_and_schema() -> Vec<u8> {
    let manifest = json!({
        "name": "echo", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"], "config_schema": {"type": 7},
    });
    let manifest = manifest.to_string();
    let wat = format!(
        r#"(component (import "vestibule:plugin/moon@0.1.0" (instance)) (instance $hook)
            (export "vestibule:plugin/auto-reply@0.1.0" (instance $hook)) (@custom "vestibule:manifest" {manifest:?}))"#
    );
    wat::parse_str(wat).expect("valid WAT")
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_installation_is_told_at_once() {
    for_each_database(async |database| {
        let mut served = Served::on(&database).await;
        let told = served.upload(&with_a_wrong_import_and_schema()).await.wrong().join("\n");
        for problem in ["moon", "no usable JSON Schema"] {
            assert!(told.contains(problem), "{problem}: {told}");
        }
        let menu = digest(&served.upload(MENU).await);
        let wrong = json!({
            "settings": {"style": "opera"}, "grants": ["moon"], "bounds": {"fault_percent": 200, "latency_ms": 0},
        });
        let places = [
            "/bounds/fault_percent",
            "/bounds/latency_ms",
            "/grants",
            "/settings/style",
        ];
        let has_all = |answer: &Answer| {
            let mut wrong = answer.wrong();
            wrong.sort();
            let at = |wrong: &String| wrong.split(':').next().unwrap_or_default().to_owned();
            assert_eq!(wrong.iter().map(at).collect::<Vec<_>>(), places, "{answer:?}");
        };
        let mut new = wrong.clone();
        new["digest"] = json!(menu);
        let refused = served.of_tenant("POST", "/installations", Some(&new)).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        has_all(&refused);
        let listed = served.of_tenant("GET", "/installations", None).await;
        assert_eq!(listed.body["items"], json!([]));
        // What only the service knows is told together as well.
        let new = json!({
            "digest": "0".repeat(64), "number": "num_0000000000001", "bounds": {"fuel_percent": -1},
        });
        let refused = served.of_tenant("POST", "/installations", Some(&new)).await;
        let told = refused.wrong().join("\n");
        for place in ["/bounds/fuel_percent", "/number", "/digest"] {
            assert!(told.contains(place), "{place}: {told}");
        }
        let new = json!({"digest": menu});
        let installed = served.of_tenant("POST", "/installations", Some(&new)).await;
        assert_eq!(installed.status, 201, "{installed:?}");
        let url = format!("/installations/{}{}", installed.id(), served.tenant);
        let patch = async |tag: &str, change: &Value| {
            answer(served.request("PATCH", &url).header("if-match", tag).json(change)).await
        };
        let refused = patch("*", &wrong).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        has_all(&refused);
        assert_eq!(patch("\"other\"", &wrong).await.status, 412);
        assert!(served.node.terminate().await.success());
    })
    .await;
}

#[tokio::test]
async fn an_upload_with_a_key_of_its_own_is_answered_as_it_is_kept() {
    for_each_database(async |database| {
        let mut served = Served::on(&database).await;
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let public = STANDARD.encode(pair.public_key().as_ref());
        let key = json!({"name": "workshop", "public_key": public});
        let added = served.ask("POST", "/plugin-keys", Some(&key)).await;
        assert_eq!(added.status, 201, "{added:?}");
        let signature = STANDARD.encode(pair.sign(guests::ECHO).as_ref());
        let upload = async |item: &str, author: &str, signed: bool| {
            let request = served.request("POST", &format!("/plugins?author={author}"));
            let request = request.header("idempotency-key", item);
            let request = request.header("content-type", "application/wasm");
            let request = match signed {
                true => request.header("vestibule-signature", format!("workshop:{signature}")),
                false => request,
            };
            answer(request.body(guests::ECHO)).await
        };
        let told = |upload: &Answer| {
            let body = &upload.body;
            (
                upload.status,
                body["author"].clone(),
                body["signed_by"].clone(),
            )
        };
        let author = served.tenant.trim_start_matches("?tenant=");
        let new = upload("new", author, false).await;
        assert_eq!(told(&new), (201, json!(author), Value::Null), "{new:?}");
        // Bytes that are known: what is said of them anew.
        let signed = upload("signed", "none", true).await;
        let said = (201, Value::Null, json!("workshop"));
        assert_eq!(told(&signed), said, "{signed:?}");
        let kept = format!("/plugins/{}", digest(&signed));
        assert_eq!(served.ask("GET", &kept, None).await.body, signed.body);
        // What was remembered is what was so.
        let again = upload("new", author, false).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.body, new.body);
        assert!(served.node.terminate().await.success());
    })
    .await;
}

#[tokio::test]
async fn uploads_that_nobody_installs_have_an_end() {
    for_each_database(async |database| {
        let mut served = Served::with(&database, &[("plugins.uploads_per_tenant", "2")]).await;
        let version = |n: u32| saying(guests::ECHO, &json!({"version": format!("{n}.0.0")}));
        let first = digest(&served.upload(&version(1)).await);
        assert_eq!(served.upload(&version(2)).await.status, 201);
        let full = served.upload(&version(3)).await;
        assert_eq!((full.status, full.problem()), (409, "state"), "{full:?}");
        let told = full.body["detail"].as_str().expect("why");
        assert!(
            told.contains("2 uploads") && told.contains("uploads_per_tenant"),
            "{told}"
        );
        let again = served.upload(&version(2)).await;
        assert_eq!(again.status, 201, "what is kept takes no room: {again:?}");
        let operators = served.request("POST", "/plugins").body(version(3));
        let operators = answer(operators.header("content-type", "application/wasm")).await;
        assert_eq!(operators.status, 201, "{operators:?}");

        let new = json!({"digest": first, "settings": {"prefix": "> "}});
        let installed = served.of_tenant("POST", "/installations", Some(&new)).await;
        assert_eq!(installed.status, 201, "{installed:?}");
        assert_eq!(served.upload(&version(4)).await.status, 201);
        assert_eq!(served.upload(&version(5)).await.status, 409);
        assert!(served.node.terminate().await.success());
    })
    .await;
}

/// Sends the head of an upload, and waits until the node asks for its body.
async fn begun(ground: &Ground, key: &str, length: usize) -> TcpStream {
    let mut connection = TcpStream::connect(ground.node.api).await.expect("a node");
    let head = format!(
        "POST /api/v1/plugins HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {key}\r\n\
         content-type: application/wasm\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    let mut said = [0; 25];
    connection.read_exact(&mut said).await.expect("an answer");
    assert_eq!(&said[..], b"HTTP/1.1 100 Continue\r\n\r\n");
    connection
}

#[tokio::test]
async fn slow_uploads_leave_room_for_newcomers_and_for_operators() {
    const LARGEST: usize = vestibule::plugin_host::COMPONENT_BYTES;
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let mut keys = Vec::new();
        for name in [
            "acme", "bolt", "cord", "dune", "echo", "fern", "gust", "hive",
        ] {
            let tenant = ground.tenant(name).await;
            keys.push(ground.key(tenant, Role::TenantAdmin).await);
        }
        let tried = async |key: &str| {
            let request = ground.request("POST", "/api/v1/plugins", key);
            answer(
                request
                    .header("content-type", "application/wasm")
                    .body("no component"),
            )
            .await
        };
        let mut under_way = Vec::new();
        for _ in 0..4 {
            under_way.push(begun(&ground, &keys[0], LARGEST).await);
        }
        let fifth = tried(&keys[0]).await;
        assert_eq!((fifth.status, fifth.problem()), (429, "too_many_uploads"));
        assert_eq!(fifth.header("retry-after"), "5");
        assert_eq!(tried(&keys[1]).await.status, 422, "others do not notice");
        for key in [1, 1, 1, 1, 2, 2] {
            under_way.push(begun(&ground, &keys[key], LARGEST).await);
        }
        // Ten of the largest are what those may have who have some under way.
        let full = tried(&keys[2]).await;
        assert_eq!((full.status, full.problem()), (503, "full"));
        assert_eq!(full.header("retry-after"), "5");
        for key in &keys[3..7] {
            under_way.push(begun(&ground, key, LARGEST).await);
        }
        assert_eq!(tried(&keys[7]).await.status, 503, "newcomers have four");
        for _ in 0..2 {
            under_way.push(begun(&ground, &ground.operator, LARGEST).await);
        }
        assert_eq!(
            tried(&ground.operator).await.status,
            503,
            "the node is full"
        );
        // Whoever goes away leaves room; the node notices in its own time.
        under_way.drain(..3);
        until("room was given back", async || {
            (tried(&keys[7]).await.status == 422).then_some(())
        })
        .await;
        assert_eq!(
            tried(&keys[0]).await.status,
            503,
            "it has one under way still"
        );
        under_way.clear();
        until("and its tenant's place", async || {
            (tried(&keys[0]).await.status == 422).then_some(())
        })
        .await;
        ground.end().await;
    })
    .await;
}
