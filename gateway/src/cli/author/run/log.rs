//! What the plugin wrote to its log, and its faults with the lines of their source, as they come.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::admin::AdminContext;
use crate::cli::demo::cast::AUTHOR;
use crate::cli::output::{self, Paint, painted};
use crate::cli::plugin_logs::Shown;
use crate::cli::trace::told;
use crate::domain::InstallationId;
use crate::replay::trace;
use crate::tenants::installations::{self, LogEntry};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Prints until something is wrong; whose log, may change.
pub(super) async fn follow(
    context: AdminContext,
    mut followed: watch::Receiver<Option<InstallationId>>,
) -> anyhow::Error {
    loop {
        let installation = *followed.borrow_and_update();
        let print = async {
            match installation {
                Some(installation) => print(&context, installation).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What is followed no more may be gone.
            biased;
            changed = followed.changed() => if let Err(over) = changed { return over.into() },
            error = print => return error,
        }
    }
}

async fn print(context: &AdminContext, installation: InstallationId) -> anyhow::Error {
    let (mut after, mut shown) = (None, Shown::default());
    loop {
        let page = async {
            let setup = &context.setup;
            let tenant = installations::tenant_of(setup, installation).await?;
            installations::logs(setup, tenant, installation, after).await
        };
        let page = match page.await {
            Ok(page) => page,
            Err(error) => return error.into(),
        };
        for line in shown.new_lines(page.lines, |line| Some(line.turn)) {
            output::line(&text(context, installation, &line).await);
        }
        after = Some(page.next);
        if !page.more {
            shown.settle(page.next.settled());
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn text(context: &AdminContext, installation: InstallationId, line: &LogEntry) -> String {
    let paint = match line.level.as_str() {
        "debug" => Some(Paint::Dim),
        "warn" => Some(Paint::Yellow),
        "error" | "fault" => Some(Paint::Red),
        _ => None,
    };
    let message = match line.level.as_str() {
        "fault" => fault(context, installation, line).await,
        _ => None,
    };
    let message = message.as_ref().unwrap_or(&line.message);
    let text = format!("  {:5}  {}  {message}", line.level, line.hook);
    paint.map_or(text.clone(), |paint| painted(&text, paint))
}

/// The fault with its frames. None where the trace cannot be had: then the line has its cause.
async fn fault(
    context: &AdminContext,
    installation: InstallationId,
    line: &LogEntry,
) -> Option<String> {
    let AdminContext {
        setup, compiler, ..
    } = context;
    let trace = trace::of(setup, compiler, AUTHOR, line.turn).await.ok()?;
    let calls = trace["journal"]["report"]["calls"].as_array()?;
    let own = installation.to_string();
    let is_it = |call: &&Value| call["installation"] == own && call["hook"] == line.hook;
    let faults = calls.iter().filter(is_it);
    let mut faults = faults.filter_map(|call| call["outcome"].get("fault"));
    faults.next().map(|fault| told(&without_std(fault)))
}

/// A panic goes through a dozen functions of Rust's own before it ends the turn. They say nothing of the plugin. Their
/// sources stand where Rust was compiled, or in the toolchain's folder, if it has them.
fn without_std(fault: &Value) -> Value {
    let mut fault = fault.clone();
    let places = fault["lines"].as_array().cloned().unwrap_or_default();
    let is_std = |place: &Value| {
        let file = place["file"].as_str().unwrap_or_default();
        file.starts_with("/rustc/") || file.contains("/lib/rustlib/src/rust/library/")
    };
    let own = places.iter().map(|place| {
        let inlined = place.as_array().map(Vec::as_slice).unwrap_or_default();
        inlined.is_empty() || !inlined.iter().all(is_std)
    });
    for list in ["frames", "lines"] {
        let mut own = own.clone();
        if let Some(list) = fault.get_mut(list).and_then(Value::as_array_mut) {
            list.retain(|_| own.next().unwrap_or(true));
        }
    }
    fault
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn frames_of_rust_itself_are_left_out() {
        let rust = json!({"file": "/rustc/59807/library/std/src/process.rs", "line": 7});
        let with_sources = json!({
            "file": "/home/ines/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/panicking.rs", "line": 8,
        });
        let ours = json!({"file": "/home/ines/menu/src/lib.rs", "line": 9});
        let fault = json!({
            "kind": "trap", "message": "panicked", "frames": ["abort", "panic", "both", "reply", "nameless", "beyond"],
            "lines": [[rust], [with_sources], [rust, ours], [ours], []],
        });
        let left = without_std(&fault);
        assert_eq!(
            left["frames"],
            json!(["both", "reply", "nameless", "beyond"])
        );
        assert_eq!(left["lines"], json!([[rust, ours], [ours], []]));
        let bare = json!({"kind": "trap", "message": "panicked", "frames": ["reply"]});
        assert_eq!(without_std(&bare), bare);
    }
}
