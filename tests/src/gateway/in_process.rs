//! A node inside the test's own process: with a clock that the test moves, and its parts in reach.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use vestibule::app::{Node, PartFailed, StartOptions};
use vestibule::config::Config;
use vestibule::delivery::Observer;
use vestibule::domain::Clock;
use vestibule::lifecycle::Shutdown;

use super::deployment::{Deployment, variable};

/// A running node. Dropped, it stops where it stands; [`InProcessNode::end`] drains it.
pub struct InProcessNode {
    node: Option<Node>,
    shutdown: Shutdown,
}

/// Its children end at once and say nothing: they compile nothing and check no settings. The test's own program would take
/// the verb for the name of tests, and run those.
const PROGRAM: &str = "/bin/true";

/// As `shutdown.soft_timeout` does for a node that serves.
const SOFT_AT_MOST: Duration = Duration::from_secs(10);

impl InProcessNode {
    pub(super) async fn start(
        deployment: &Deployment,
        name: &str,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let shutdown = Shutdown::new();
        let options = StartOptions {
            clock,
            observer,
            program: Some(PROGRAM.into()),
            ..StartOptions::new(shutdown.clone())
        };
        let node = Node::start(&config(deployment, name), options)
            .await
            .expect("the node starts");
        Self {
            node: Some(node),
            shutdown,
        }
    }

    /// Where webhooks go.
    pub fn webhook_url(&self) -> String {
        format!("http://{}/webhooks/whatsapp", self.http)
    }

    /// Waits until it ends by itself, for the reason that it gives.
    pub async fn finished(mut self) -> Result<(), PartFailed> {
        let node = self.node.take().expect("it was started");
        node.finished().await
    }

    /// The soft end: what runs is finished first; after [`SOFT_AT_MOST`] the hard one.
    pub async fn end(mut self) {
        let hurry = self.shutdown.clone();
        let ending = tokio::spawn(async move { hurry.begin(SOFT_AT_MOST).await });
        if let Some(node) = self.node.take() {
            node.finished().await.expect("no part broke down");
        }
        ending.abort();
    }
}

impl Deref for InProcessNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node
            .as_ref()
            .expect("only `end` takes it, with the value")
    }
}

impl Drop for InProcessNode {
    fn drop(&mut self) {
        self.shutdown.stop_now();
    }
}

/// The deployment's configuration, on a port that the system picks.
fn config(deployment: &Deployment, name: &str) -> Config {
    let listen = [
        (variable("http.listen"), "127.0.0.1:0".to_owned()),
        (variable("metrics.listen"), String::new()),
    ];
    let environment = deployment.environment(name).into_iter().chain(listen);
    Config::load_with(None, environment).expect("a good configuration")
}
