//! Customers who write all the time, and a Meta that posts each webhook until some node has taken it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vestibule::graph::signature;

use crate::town::{Town, body, message, now_secs};

/// Posts messages to any of these URLs until stopped, again and again until each is accepted, as Meta does.
pub struct Load {
    accepted: Arc<AtomicUsize>,
    stop: tokio_util::sync::CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Load {
    pub fn start(town: &Town, urls: Vec<String>) -> Self {
        let (accepted, stop) = (
            Arc::new(AtomicUsize::new(0)),
            tokio_util::sync::CancellationToken::new(),
        );
        let mut tasks = tokio::task::JoinSet::new();
        crate::tls::provide();
        for worker in 0..4 {
            let (urls, accepted, stop) = (urls.clone(), accepted.clone(), stop.clone());
            let number = town.business.numbers[worker].clone();
            let secret = town.business.app_secret.clone();
            tasks.spawn(async move {
                let client = reqwest::Client::builder()
                    .timeout(Duration::from_secs(3))
                    .build()
                    .expect("a client");
                for n in 0.. {
                    if stop.is_cancelled() {
                        return;
                    }
                    let customer = customer(worker, n);
                    let element = message(n, &customer, &format!("line {n}"), now_secs());
                    let body = body(&[(&number.waba_id, &number.phone_number_id, vec![element])]);
                    deliver(&client, &urls, &secret, &body, n).await;
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self {
            accepted,
            stop,
            tasks,
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until so many more were accepted: time as the load counts it.
    pub async fn more(&self, by: usize) {
        let goal = self.accepted() + by;
        crate::until("webhooks are accepted", async || {
            (self.accepted() >= goal).then_some(())
        })
        .await;
    }

    /// Stops after what is under way has been accepted.
    pub async fn end(mut self) -> i64 {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        i64::try_from(self.accepted()).expect("few")
    }
}

/// After forty messages each, other customers come: fewer than a person may get without pacing (facts §6.7), and than
/// the loop brake lets a bot say in an hour.
fn customer(worker: usize, n: usize) -> String {
    const AT_ONCE: usize = 25;
    let (group, one) = (n / (40 * AT_ONCE), n % AT_ONCE);
    format!("4915{worker}{group:04}{one:03}")
}

async fn deliver(client: &reqwest::Client, urls: &[String], secret: &str, body: &[u8], n: usize) {
    let signature = signature::sign(secret.as_bytes(), body);
    for attempt in 0.. {
        let url = &urls[(n + attempt) % urls.len()];
        let post = client
            .post(url)
            .header("x-hub-signature-256", &signature)
            .body(body.to_vec());
        match post.send().await {
            Ok(answer) if answer.status().is_success() => return,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
