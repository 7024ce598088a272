//! Plugins by the API, against a node that is a process of its own: compiling needs the program itself.

use serde_json::{Value, json};
use vestibule::reference_plugins::MENU;
use vestibule_tests::{Business, Deployment, Program, TestDatabase, for_each_database, guests};

use super::ground::{Answer, answer};

/// A node that serves, and the key of an operator.
struct Served {
    node: vestibule_tests::GatewayProcess,
    deployment: Deployment,
    client: reqwest::Client,
    key: String,
}

impl Served {
    async fn on(database: &TestDatabase) -> Self {
        let deployment =
            Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
        Business::new(1, 1, 80).onboard(&deployment, "node").await;
        let made = ["key", "add", "--operator", "--json"];
        let made: Value =
            serde_json::from_str(&deployment.run("node", &made, &[]).await).expect("JSON");
        let node = deployment.start("node").await;
        Self {
            node,
            client: reqwest::Client::builder().build().expect("a client"),
            key: made["key"].as_str().expect("shown once").to_owned(),
            deployment,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let method: reqwest::Method = method.parse().expect("a method");
        let url = format!("http://{}/api/v1{path}", self.node.http());
        let request = self.client.request(method, url).bearer_auth(&self.key);
        match body {
            Some(body) => answer(request.json(body)).await,
            None => answer(request).await,
        }
    }
}

fn base64(component: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(component)
}

#[tokio::test]
async fn a_plugin_is_uploaded_seen_and_taken_out_of_service() {
    for_each_database(async |database| {
        let mut served = Served::on(&database).await;
        let tenants = served.ask("GET", "/tenants", None).await;
        let tenant = tenants.body["items"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let at = format!("/plugins?tenant={tenant}");
        let upload = json!({"component": base64(guests::ECHO)});
        let installed = served.ask("POST", &at, Some(&upload)).await;
        assert_eq!(
            (installed.status, &installed.body["plugin"]),
            (201, &json!("echo")),
            "{installed:?}"
        );
        let path = format!("/plugins/{}?tenant={tenant}", installed.id());
        assert_eq!(served.ask("GET", &path, None).await.body, installed.body);
        let no_plugin = served
            .ask("POST", &at, Some(&json!({"component": "AGFzbQ=="})))
            .await;
        assert_eq!(no_plugin.status, 422);
        assert!(
            no_plugin.wrong()[0].starts_with("/component: "),
            "{no_plugin:?}"
        );
        let grant = json!({"component": base64(guests::ECHO), "grants": ["moon"]});
        let grant = served.ask("POST", &at, Some(&grant)).await;
        assert!(grant.wrong()[0].starts_with("/grants: "), "{grant:?}");
        let settings = json!({"component": base64(MENU), "settings": {"style": "opera"}});
        let settings = served.ask("POST", &at, Some(&settings)).await;
        assert_eq!(settings.status, 422, "{settings:?}");
        assert!(
            settings.wrong()[0].starts_with("/settings/style: "),
            "{settings:?}"
        );
        assert_eq!(served.ask("DELETE", &path, None).await.status, 204);
        assert_eq!(served.ask("GET", &path, None).await.status, 404);
        assert_eq!(served.ask("GET", &at, None).await.body["items"], json!([]));
        // The command line and the API saw the same log, and no key is in the node's.
        served
            .deployment
            .run("node", &["audit", "verify"], &[])
            .await;
        let requests = served
            .node
            .metric("vestibule_api_requests_total", "plugins.install")
            .await;
        assert!(requests >= 3.0, "{requests}");
        served.node.terminate().await;
        assert!(
            !served
                .node
                .logs()
                .contains(served.key.split('.').next_back().expect("two parts"))
        );
    })
    .await;
}
