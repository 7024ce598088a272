//! A gateway under test with its database and its simulated Meta, set up and driven from outside.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum as _;
use serde::Deserialize;
use sqlx::{Connection, PgConnection, SqliteConnection};
use vestibule_tests::process::{Process, free_address};

use crate::bodies::{Casting, PATH};
use crate::load::now;
use crate::stage::{Database, Server, Stage, own_role};

/// 32 bytes each: they guard nothing.
const KEYS: &str = r#"["root:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="]"#;

/// Where the set-up leaves the key of the API, in the data folder.
pub const API_KEY: &str = "api-key";

/// How often a counter is looked at while something is waited for. Each look costs the server what a request costs.
const LOOK: Duration = Duration::from_millis(20);
/// Work that is not done by then will not be: the run is broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a deployment is made for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    pub turns_paused: bool,
    /// Sends that the simulator remembers.
    pub records: usize,
    /// It sends `sent`, `delivered` and `read` for every send.
    pub receipts: bool,
    /// Templates of each account of the first tenant.
    pub templates: usize,
    pub casting: Casting,
    /// A plugin that fails goes on being called.
    pub without_breaker: bool,
}

impl Wish {
    /// As an argument of the roles that are to know of it.
    fn casting(self) -> String {
        let value = self.casting.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// One database, the simulated Meta, and the first node.
pub struct Deployment {
    pub server: Server,
    pub api: Api,
    pub graph: Graph,
    name: String,
    wish: Wish,
    database_url: String,
    metrics: SocketAddr,
}

impl Deployment {
    pub async fn set_up(stage: &Stage, name: &str, wish: Wish) -> anyhow::Result<Self> {
        let database_url = stage.new_database(name).await?;
        let graph = Graph::start(stage, name, wish).await?;
        let mut setting_up = own_role("set-up")?;
        let environment = environment(stage, name, name, &database_url, &graph.base);
        let key = stage.path(&format!("{name}-data")).join(API_KEY);
        let status = setting_up.arg(wish.casting()).envs(environment).status()?;
        ensure!(status.success(), "the gateway could not be set up");
        let (server, metrics) =
            start_node(stage, name, name, &database_url, &graph.base, wish).await?;
        graph.send_webhooks_to(server.listen).await?;
        if wish.receipts {
            graph.send_receipts().await?;
        }
        Ok(Self {
            api: Api {
                base: format!("http://{}/api/v1", server.listen),
                key: std::fs::read_to_string(key).context("the API key")?,
                client: graph.client.clone(),
            },
            server,
            graph,
            name: name.to_owned(),
            wish,
            database_url,
            metrics,
        })
    }

    /// Another node on the same database (PostgreSQL).
    pub async fn second_node(&self, stage: &Stage) -> anyhow::Result<Server> {
        let node = format!("{}-second", self.name);
        let base = &self.graph.base;
        let started = start_node(
            stage,
            &self.name,
            &node,
            &self.database_url,
            base,
            self.wish,
        );
        Ok(started.await?.0)
    }

    /// `kill -9`, and starts the same node again on the same address. Answers when it was started.
    pub async fn kill_and_start(
        &mut self,
        stage: &Stage,
    ) -> anyhow::Result<(u64, std::time::Instant)> {
        self.server.process.kill9();
        let accepted = self.graph.accepted().await?;
        let environment = environment(
            stage,
            &self.name,
            &self.name,
            &self.database_url,
            &self.graph.base,
        );
        let began = now();
        self.server.process = spawn_node(
            stage,
            &self.name,
            environment,
            self.server.listen,
            self.metrics,
            self.wish,
        )?;
        Ok((accepted, began))
    }

    /// Waits until Graph has accepted so many sends in all; answers how long that took.
    pub async fn until_accepted(&self, count: u64) -> anyhow::Result<Duration> {
        let began = now();
        loop {
            let accepted = self.graph.accepted().await?;
            if accepted >= count {
                return Ok(began.elapsed());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{accepted} of {count} sends were accepted: {}",
                self.server.process.logs()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until so many receipts have been applied, in all of this node's life.
    pub async fn until_receipts(&self, count: u64) -> anyhow::Result<()> {
        self.until_counted("vestibule_receipts_total", count).await
    }

    /// Waits until so many turns are committed, in all of this node's life.
    pub async fn until_turns(&self, count: u64) -> anyhow::Result<()> {
        let committed = r#"vestibule_turns_total{result="committed"}"#;
        self.until_counted(committed, count).await
    }

    async fn until_counted(&self, name: &str, count: u64) -> anyhow::Result<()> {
        let began = now();
        loop {
            let seen = self.metric(name).await?;
            if seen >= count as f64 {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{name} is {seen}, and {count} were waited for"
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The sum of a metric of the first node over its labels.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let url = format!("http://{}/metrics", self.metrics);
        let page = self.graph.client.get(url).send().await?.text().await?;
        let values = page
            .lines()
            .filter(|line| line.starts_with(name))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// What PostgreSQL does by itself once a minute.
    pub async fn vacuum(&self) -> anyhow::Result<()> {
        if !self.database_url.starts_with("sqlite:") {
            let mut db = PgConnection::connect(&self.database_url).await?;
            sqlx::query("VACUUM (ANALYZE)").execute(&mut db).await?;
        }
        Ok(())
    }

    /// How large the database is, log not counted.
    pub async fn stored_bytes(&self) -> anyhow::Result<i64> {
        Ok(if self.database_url.starts_with("sqlite:") {
            let mut db = SqliteConnection::connect(&self.database_url).await?;
            let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
            sqlx::query_scalar(sql).fetch_one(&mut db).await?
        } else {
            let mut db = PgConnection::connect(&self.database_url).await?;
            let sql = "SELECT pg_database_size(current_database())";
            sqlx::query_scalar(sql).fetch_one(&mut db).await?
        })
    }

    /// Buckets of the node that owns most (PostgreSQL).
    pub async fn most_buckets(&self) -> anyhow::Result<i64> {
        let mut db = PgConnection::connect(&self.database_url).await?;
        let sql = "SELECT COUNT(*) FROM bucket_lease WHERE slot >= 0 GROUP BY slot ORDER BY 1 DESC LIMIT 1";
        Ok(sqlx::query_scalar(sql)
            .fetch_optional(&mut db)
            .await?
            .unwrap_or(0))
    }
}

fn environment(
    stage: &Stage,
    name: &str,
    node: &str,
    database_url: &str,
    graph: &str,
) -> Vec<(String, String)> {
    let folder = match stage.database {
        Database::Sqlite => stage.path(&format!("{name}-data")),
        Database::Postgres => stage.path(&format!("{node}-data")),
    };
    let pairs = [
        ("DATABASE__URL", database_url.to_owned()),
        ("DATA_DIR", folder.display().to_string()),
        ("GRAPH__BASE_URL", graph.to_owned()),
        ("SECRETS__KEYS", KEYS.to_owned()),
        ("LOG__LEVEL", "warn".to_owned()),
        // Accounts are read when a row asks for it.
        ("TEMPLATES__SYNC_EVERY", "0s".to_owned()),
    ];
    let variable = |(key, value)| (format!("VESTIBULE__{key}"), value);
    pairs.into_iter().map(variable).collect()
}

async fn start_node(
    stage: &Stage,
    name: &str,
    node: &str,
    database_url: &str,
    graph: &str,
    wish: Wish,
) -> anyhow::Result<(Server, SocketAddr)> {
    let environment = environment(stage, name, node, database_url, graph);
    let (listen, metrics) = (free_address(), free_address());
    let process = spawn_node(stage, node, environment, listen, metrics, wish)?;
    Ok((stage.server(process, listen).await?, metrics))
}

fn spawn_node(
    stage: &Stage,
    node: &str,
    environment: Vec<(String, String)>,
    listen: SocketAddr,
    metrics: SocketAddr,
    wish: Wish,
) -> anyhow::Result<Process> {
    let mut command = own_role("gateway")?;
    command
        .args(wish.turns_paused.then_some("--turns-paused"))
        .envs(environment)
        .env("VESTIBULE__HTTP__LISTEN", listen.to_string())
        .env("VESTIBULE__METRICS__LISTEN", metrics.to_string());
    if wish.without_breaker {
        command.env("VESTIBULE__PLUGINS__BREAKER_LEAST_TURNS", "1000000000");
    }
    Ok(Process::start(
        &mut command,
        &stage.path(&format!("{node}.log")),
    )?)
}

/// The simulated Meta in its own process.
pub struct Graph {
    base: String,
    client: reqwest::Client,
    _process: Process,
}

/// The management API of the first node, as the first tenant's administrator.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    key: String,
    client: reqwest::Client,
}

impl Api {
    pub async fn get(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        self.ask(self.client.get(format!("{}{path}", self.base)))
            .await
    }

    pub async fn post(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        self.ask(self.client.post(format!("{}{path}", self.base)))
            .await
    }

    /// Posts a list of any length.
    pub async fn post_csv(&self, path: &str, list: String) -> anyhow::Result<serde_json::Value> {
        let request = self.client.post(format!("{}{path}", self.base));
        let csv = request.header("content-type", "text/csv").body(list);
        self.ask(csv).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> anyhow::Result<serde_json::Value> {
        let answer = request.bearer_auth(&self.key).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the API: {status} {body}");
        Ok(serde_json::from_str(&body)?)
    }
}

/// A send as Graph got it.
#[derive(Debug, Clone, Deserialize)]
pub struct Send {
    pub sequence: u64,
    /// Microseconds on the simulator's monotonic clock.
    pub elapsed_us: i64,
    /// Unix milliseconds.
    pub at: i64,
    pub phone_number_id: String,
    pub recipient: String,
    /// Our outbox id.
    pub opaque: String,
    answer: SendAnswer,
}

#[derive(Debug, Clone, Deserialize)]
struct SendAnswer {
    wamid: Option<String>,
}

impl Send {
    pub fn wamid(&self) -> &str {
        self.answer.wamid.as_deref().unwrap_or_default()
    }
}

impl Graph {
    async fn start(stage: &Stage, name: &str, wish: Wish) -> anyhow::Result<Self> {
        let listen = free_address();
        let mut command = own_role("simulator")?;
        let sizes = [wish.records, wish.templates].map(|size| size.to_string());
        command
            .arg(listen.to_string())
            .args(sizes)
            .arg(wish.casting());
        let process = Process::start(&mut command, &stage.path(&format!("{name}-graph.log")))?;
        let client = reqwest::Client::builder().build()?;
        let graph = Self {
            base: format!("http://{listen}"),
            client,
            _process: process,
        };
        vestibule_tests::until("the simulator answers", async || {
            graph.accepted().await.ok()
        })
        .await;
        Ok(graph)
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}/simulator{path}", self.base);
        let body = self.client.get(url).send().await?.bytes().await?;
        serde_json::from_slice(&body).with_context(|| format!("the simulator's answer to {path}"))
    }

    async fn put(&self, path: &str, body: String) -> anyhow::Result<()> {
        let url = format!("{}/simulator{path}", self.base);
        let answer = self.client.put(url).body(body).send().await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(())
    }

    async fn send_webhooks_to(&self, gateway: SocketAddr) -> anyhow::Result<()> {
        let body = format!(r#"{{"url":"http://{gateway}{PATH}"}}"#);
        self.put("/webhooks", body).await
    }

    async fn send_receipts(&self) -> anyhow::Result<()> {
        let body = r#"{"ticks":["sent","delivered","read"]}"#;
        self.put("/statuses/policy", body.to_owned()).await
    }

    async fn counters(&self) -> anyhow::Result<HashMap<String, u64>> {
        #[derive(Deserialize)]
        struct Overview {
            counters: HashMap<String, u64>,
        }
        Ok(self.get::<Overview>("").await?.counters)
    }

    /// Sends that got a wamid so far.
    pub async fn accepted(&self) -> anyhow::Result<u64> {
        Ok(self.counters().await?["accepted"])
    }

    /// Breaches of Meta's rules so far: a gateway that breaks them is not measured but wrong.
    pub async fn violations(&self) -> anyhow::Result<u64> {
        Ok(self.counters().await?["violations"])
    }

    /// Every send that is remembered, oldest first.
    pub async fn sends(&self) -> anyhow::Result<Vec<Send>> {
        self.sends_after(0).await
    }

    /// Those after a place in the sequence.
    pub async fn sends_after(&self, place: u64) -> anyhow::Result<Vec<Send>> {
        let mut all: Vec<Send> = Vec::new();
        loop {
            let after = all.last().map_or(place, |send| send.sequence);
            let page: Vec<Send> = self
                .get(&format!("/requests?after={after}&limit=5000"))
                .await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}
