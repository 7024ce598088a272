//! A headless Chromium, driven over chromedriver's WebDriver protocol: plain HTTP with JSON, so that no client is needed.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::postgres::{folders_of_path, is_ci};
use crate::process::Process;
use crate::until;

/// Nothing that talks to the network by itself.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
];

/// WebDriver's name for Enter.
pub const ENTER: &str = "\u{e007}";
/// And for Escape.
pub const ESCAPE: &str = "\u{e00c}";

/// One browser with one window and an empty profile; it goes with this value.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    session: String,
    // In this order: the driver ends its browser before the profile is removed.
    _driver: Process,
    _profile: TempDir,
}

impl Browser {
    /// `None`, said loudly, where there is no Chromium. Under CI that is a failure.
    pub async fn open_or_skip() -> Option<Self> {
        let programs = program("chromedriver").zip(program("chromium"));
        match programs {
            Some((driver, chromium)) => Some(Self::open(driver, chromium).await),
            None if is_ci() => panic!("no Chromium: apt-get install chromium chromium-driver"),
            None => {
                eprintln!(
                    "SKIPPED in a browser: neither `chromedriver` nor `chromium` may be missing. Debian: apt-get install chromium chromium-driver"
                );
                None
            }
        }
    }

    async fn open(driver: PathBuf, chromium: PathBuf) -> Self {
        crate::tls::provide();
        let profile = tempfile::tempdir().expect("a temporary folder");
        let log = profile.path().join("chromedriver.log");
        let mut driver = Process::start(Command::new(driver).arg("--port=0"), &log)
            .expect("chromedriver starts");
        let port = until("chromedriver says its port", async || {
            assert!(
                driver.has_ended().is_none(),
                "chromedriver ended: {}",
                driver.logs()
            );
            port(&driver.logs())
        })
        .await;
        let client = Client::builder().no_proxy().build().expect("a client");
        let base = format!("http://127.0.0.1:{port}/session");
        let data = format!(
            "--user-data-dir={}",
            profile.path().join("profile").display()
        );
        let flags: Vec<&str> = FLAGS.iter().copied().chain([data.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": chromium, "args": flags },
        } } });
        let answer = ask(&client, Method::POST, &base, &wanted).await;
        let id = answer["sessionId"].as_str().expect("a session");
        Self {
            session: format!("{base}/{id}"),
            client,
            _driver: driver,
            _profile: profile,
        }
    }

    async fn call(&self, path: &str, body: &Value) -> Value {
        ask(
            &self.client,
            Method::POST,
            &format!("{}/{path}", self.session),
            body,
        )
        .await
    }

    pub async fn go(&self, url: &str) {
        self.call("url", &json!({ "url": url })).await;
    }

    /// The page as a screen of this size shows it, light or dark.
    pub async fn look(&self, width: u32, height: u32, theme: &str) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)
            .await;
        let features = json!([
            { "name": "prefers-color-scheme", "value": theme },
            // A picture must not catch an animation half way.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        )
        .await;
    }

    async fn devtools(&self, command: &str, parameters: &Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.call("goog/cdp/execute", &body).await;
    }

    /// What a script in the page answers.
    pub async fn run(&self, script: &str) -> Value {
        self.call("execute/sync", &json!({ "script": script, "args": [] }))
            .await
    }

    /// Waits for the first element that this selects and whose text holds `text`.
    pub async fn wait_for(&self, css: &str, text: &str) -> String {
        let script = format!(
            "return [...document.querySelectorAll({})].find((one) => one.textContent.includes({})) || null",
            json!(css),
            json!(text)
        );
        until(&format!("{css} with \"{text}\""), async || {
            let found = self.run(&script).await;
            found
                .as_object()?
                .values()
                .next()?
                .as_str()
                .map(str::to_owned)
        })
        .await
    }

    /// Clicks on it as a person does: where it stands on the screen.
    pub async fn click(&self, css: &str, text: &str) {
        let element = self.wait_for(css, text).await;
        self.call(&format!("element/{element}/click"), &json!({}))
            .await;
    }

    /// Types into it, key by key.
    pub async fn type_into(&self, css: &str, keys: &str) {
        let element = self.wait_for(css, "").await;
        self.call(
            &format!("element/{element}/value"),
            &json!({ "text": keys }),
        )
        .await;
    }

    /// What the window shows, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let url = format!("{}/screenshot", self.session);
        let answer = ask(&self.client, Method::GET, &url, &Value::Null).await;
        let text = answer.as_str().expect("base64");
        STANDARD.decode(text).expect("base64")
    }
}

async fn ask(client: &Client, method: Method, url: &str, body: &Value) -> Value {
    let mut request = client.request(method, url);
    if !body.is_null() {
        request = request.json(body);
    }
    let answer = request.send().await.expect("chromedriver answers");
    let mut answer: Value = answer.json().await.expect("JSON");
    let value = answer["value"].take();
    assert!(value["error"].is_null(), "{url}: {value}");
    value
}

fn program(name: &str) -> Option<PathBuf> {
    let candidates = folders_of_path()
        .into_iter()
        .map(|folder| folder.join(name));
    candidates.into_iter().find(|program| program.is_file())
}

/// "ChromeDriver was started successfully on port 43211."
fn port(log: &str) -> Option<u16> {
    let rest = log.split("started successfully on port ").nth(1)?;
    rest.split('.').next()?.trim().parse().ok()
}
