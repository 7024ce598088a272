//! Nobody can take a neighbour's share: the pool has room for the largest components in every store, and who is heavy has threads
//! of its own.

use futures::FutureExt;
use tokio::sync::Barrier;

use super::super::limits::{PLUGINS_PER_TURN, TABLES};
use super::*;

/// Answers when as many turns ask as there are stores: then all of them are alive.
struct AllAtOnce(Barrier);

impl KvReader for AllAtOnce {
    fn get<'a>(
        &'a self,
        _: TenantId,
        _: InstallationId,
        _: &'a str,
    ) -> futures::future::BoxFuture<'a, Result<Option<(Vec<u8>, i64)>, KvUnavailable>> {
        async move {
            self.0.wait().await;
            Ok(None)
        }
        .boxed()
    }
}

/// Asks the store, then replies.
fn asking() -> Guest {
    let body = format!("(call $kv-get {{{{n}}}} {RET}) (call $reply-text {{{{hi}}}} {RET})");
    Guest::replying(&body)
}

fn asks(binding: &PluginBinding, kv: &Arc<AllAtOnce>) -> TurnRequest {
    let mut request = turn(vec![binding.clone()]);
    request.kv = kv.clone();
    request
}

#[tokio::test]
async fn every_store_may_hold_a_component_of_the_most_tables() {
    const STORES: usize = 16;
    let host = host_with(|config| config.stores_per_thread = STORES);
    // What turns a module into a component adds one.
    let tables = "(table 1 funcref)".repeat(TABLES - 1);
    let binding = binding(&asking().with(&tables).load(&host));
    let kv = Arc::new(AllAtOnce(Barrier::new(STORES)));
    let turns = (0..STORES).map(|_| host.run_turn(asks(&binding, &kv)));
    for report in futures::future::join_all(turns).await {
        assert_eq!(texts(&report.expect("room")), ["hi"]);
    }
}

#[tokio::test]
async fn heavy_turns_take_no_thread_from_light_ones() {
    const STORES: usize = PLUGINS_PER_TURN;
    let host = host_with(|config| config.stores_per_thread = STORES);
    let binding = binding(&asking().load(&host));
    let kv = Arc::new(AllAtOnce(Barrier::new(STORES + 1)));
    // They have every store of their thread, until a light one asks too.
    let heavy = (0..STORES).map(|_| {
        host.run_turn(TurnRequest {
            weight: Weight::Heavy,
            ..asks(&binding, &kv)
        })
    });
    let light = host.run_turn(asks(&binding, &kv));
    let all = heavy.map(FutureExt::boxed).chain([light.boxed()]);
    for report in futures::future::join_all(all).await {
        assert_eq!(texts(&report.expect("room")), ["hi"]);
    }
}

/// The scheduling policies of this process's threads whose names begin so.
fn policies(name: &str) -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").expect("threads");
    let policy = |thread: std::path::PathBuf| {
        let comm = std::fs::read_to_string(thread.join("comm")).ok()?;
        let stat = std::fs::read_to_string(thread.join("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        // proc(5): the policy is the 41st field, the first behind the name is the third.
        let policy = fields.split_whitespace().nth(41 - 3)?;
        comm.starts_with(name).then(|| policy.to_owned())
    };
    let threads = threads.filter_map(|thread| policy(thread.ok()?.path()));
    threads.collect()
}

#[tokio::test]
async fn threads_of_heavy_turns_run_where_nobody_else_wants_a_core() {
    let host = host();
    let mut request = turn(vec![binding(&well_behaved().load(&host))]);
    request.weight = Weight::Heavy;
    // Its thread has begun; those of other tests may still be about to.
    host.run_turn(request).await.expect("room");
    let idle = libc::SCHED_IDLE.to_string();
    assert!(policies("heavy-guest").contains(&idle));
    assert!(!policies("guest-").contains(&idle));
}

#[tokio::test]
async fn a_component_of_more_tables_does_not_load() {
    let host = host();
    let guest = well_behaved().with(&"(table 1 funcref)".repeat(TABLES));
    let refused = load(&host, &guest.component());
    assert!(matches!(refused, Err(LoadError::Artifact(_))));
}
