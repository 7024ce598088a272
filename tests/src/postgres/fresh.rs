//! One test's database in the shared cluster. It goes with its value: hundreds of them beside each other would ask for
//! more disk than a CI machine may have left.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};

use anyhow::Context as _;

use super::{Cluster, TEMPLATE, administer, create, on_own_thread};

/// A migrated database that nobody else uses.
#[derive(Debug)]
pub struct FreshDatabase {
    cluster: &'static Cluster,
    name: String,
}

impl FreshDatabase {
    pub async fn create(cluster: &'static Cluster) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        create(cluster, &name, &format!("TEMPLATE {TEMPLATE}"))
            .await
            .with_context(|| cluster.last_words())?;
        Ok(Self { cluster, name })
    }

    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        // The thread ends with the process only, and a database that it does not get to goes with the cluster.
        let _ = dropper(self.cluster).send(std::mem::take(&mut self.name));
    }
}

/// The thread that drops databases: a drop waits for a checkpoint, for which no test should wait.
fn dropper(cluster: &'static Cluster) -> &'static mpsc::Sender<String> {
    static NAMES: OnceLock<mpsc::Sender<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let (sender, names) = mpsc::channel::<String>();
        std::thread::spawn(move || {
            for name in names {
                // What a test left running may still be connected.
                let statement = format!("DROP DATABASE {name} WITH (FORCE)");
                if let Err(error) = on_own_thread(administer(cluster, statement)) {
                    eprintln!("{name} stays although its test is over: {error:#}");
                }
            }
        });
        sender
    })
}
