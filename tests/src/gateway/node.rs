//! One gateway process that serves: started, killed, stopped, woken, started again on the same address and data.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus};

use super::deployment::{Deployment, variable};
use crate::process::{Process, free_address};

/// A node. Its addresses and data folder stay the same over restarts.
#[derive(Debug)]
pub struct GatewayProcess {
    node: String,
    process: Process,
    http: SocketAddr,
    metrics: SocketAddr,
}

impl GatewayProcess {
    pub(super) async fn start(deployment: &Deployment, node: &str) -> Self {
        let (http, metrics) = (free_address(), free_address());
        let process = spawn(deployment, node, http, metrics);
        let mut node = Self {
            node: node.to_owned(),
            process,
            http,
            metrics,
        };
        node.wait_until_ready().await;
        node
    }

    /// `kill -9`. The data folder and the database stay as they are at that instruction.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// `SIGSTOP`: the node stands still and keeps its connections.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// `SIGCONT`.
    pub fn cont(&self) {
        self.process.cont();
    }

    /// `SIGTERM`: the soft end. Waits for it.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process.terminate().await
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        crate::until("the node ends by itself", async || self.process.has_ended()).await
    }

    /// Kills it if it lives, and starts it again on the same addresses and data. Returns before it is ready.
    pub fn restart(&mut self, deployment: &Deployment) {
        self.process.kill9();
        self.process = spawn(deployment, &self.node, self.http, self.metrics);
    }

    pub async fn wait_until_ready(&mut self) {
        let url = format!("http://{}/ready", self.http);
        let client = client();
        crate::until("the gateway is ready", async || {
            if let Some(status) = self.process.has_ended() {
                panic!("the gateway ended with {status}:\n{}", self.process.logs());
            }
            let answer = client.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Where webhooks go.
    pub fn webhook_url(&self) -> String {
        format!("http://{}/webhooks/whatsapp", self.http)
    }

    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where Prometheus and, while the node drains, load balancers look.
    pub fn metrics_at(&self) -> SocketAddr {
        self.metrics
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything it has logged, over all restarts.
    pub fn logs(&self) -> String {
        self.process.logs()
    }

    /// The sum of a metric over its labels; `label` (as `result="done"`) picks some of them.
    pub async fn metric(&self, name: &str, label: &str) -> f64 {
        let url = format!("http://{}/metrics", self.metrics);
        let answer = client()
            .get(url)
            .send()
            .await
            .expect("the metrics listener answers");
        let page = answer.text().await.expect("text");
        let lines = page
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

fn spawn(deployment: &Deployment, node: &str, http: SocketAddr, metrics: SocketAddr) -> Process {
    let mut command: Command = deployment.command(node);
    command
        .arg("serve")
        .env(variable("http.listen"), http.to_string())
        .env(variable("metrics.listen"), metrics.to_string());
    let log = deployment.data_dir(node).with_extension("log");
    Process::start(&mut command, &log).expect("the gateway starts")
}

/// A client of the harness.
pub(crate) fn client() -> reqwest::Client {
    crate::tls::provide();
    reqwest::Client::builder()
        .build()
        .expect("a client without TLS roots of its own")
}
