//! A disk that refuses to keep what was written: the node ends, and nobody was told of what the disk has not. SQLite only:
//! PostgreSQL keeps by itself.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vestibule_tests::load::Load;
use vestibule_tests::town::Town;
use vestibule_tests::{GatewayProcess, Kind, TestDatabase, guests, until};

use crate::chaos::check;

/// The disk of a node: the database's file and its log.
struct Disk {
    database: PathBuf,
    /// Both as they were when it began to refuse.
    kept: TempDir,
}

const FILES: [&str; 2] = ["", "-wal"];

impl Disk {
    fn of(database: &TestDatabase) -> Self {
        let path = database.file().expect("SQLite");
        Self {
            database: path.into(),
            kept: tempfile::tempdir().expect("a folder"),
        }
    }

    fn file(&self, of: &str) -> PathBuf {
        let mut path = self.database.clone().into_os_string();
        path.push(of);
        path.into()
    }

    fn kept(&self, of: &str) -> PathBuf {
        self.kept.path().join(format!("kept{of}"))
    }

    /// Nothing lasts any more that is flushed from now on: where the log was is something that cannot be flushed. What was
    /// flushed before, and what is flushed at this moment, is kept.
    async fn refuses(&self, node: &GatewayProcess) {
        node.stop();
        until("all of the node stands still", async || {
            all_stopped(node.pid()).then_some(())
        })
        .await;
        for of in FILES {
            copy(&self.file(of), &self.kept(of));
        }
        let log = self.file("-wal");
        std::fs::rename(&log, self.kept("-written")).expect("the log is taken away");
        std::os::unix::fs::symlink("/dev/null", &log).expect("another is in its place");
        node.cont();
    }

    /// The machine starts anew, with what the disk has.
    fn comes_back(&self) {
        for of in ["", "-wal", "-shm"] {
            match std::fs::remove_file(self.file(of)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            }
        }
        for of in FILES {
            copy(&self.kept(of), &self.file(of));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("a copy");
}

/// Threads stop one by one, after the signal was sent.
fn all_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the node lives");
    let is_stopped = |thread: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(thread.expect("a thread").path().join("stat"));
        // A thread that ended meanwhile does nothing any more.
        let stat = stat.unwrap_or_default();
        let state = stat.rsplit_once(") ").map_or("T", |(_, rest)| rest);
        state.starts_with('T')
    };
    threads.into_iter().all(is_stopped)
}

#[tokio::test]
async fn a_node_whose_disk_refuses_ends_and_has_acknowledged_nothing_that_is_lost() {
    let database = TestDatabase::fresh(Kind::Sqlite)
        .await
        .expect("SQLite is always there");
    let mut town = Town::with_plugin(&database, guests::ECHO, &[]).await;
    town.deployment = town.deployment.with("delivery.unknown_grace", "2s");
    let mut node = town.deployment.start("node").await;
    town.meta
        .set_webhook(&node.webhook_url(), None)
        .expect("a URL");
    let load = Load::start(&town, vec![node.webhook_url()]);
    load.more(40).await;
    let disk = Disk::of(&database);
    disk.refuses(&node).await;
    let status = node.ended().await;
    assert_eq!(status.code(), Some(1), "{}", node.logs());
    let told = "SQLite's log could not be flushed to disk";
    assert!(node.logs().contains(told), "{}", node.logs());
    disk.comes_back();
    node.restart(&town.deployment);
    node.wait_until_ready().await;
    load.more(40).await;
    // Each message was posted until it was accepted once: one that was accepted for nothing is missing now.
    let accepted = load.end().await;
    check(&database, &town, accepted).await;
    assert!(node.terminate().await.success(), "{}", node.logs());
}
