//! Habits of the tree that no compiler holds: import directions, paired migrations, file heads, tenant-first storage.
//!
//! Each test collects all offences before it fails, so that one run names everything there is to mend.

mod files;
mod fuzz;
mod guests;
mod layers;
mod metrics;
mod migrations;
mod source;
mod storage;

use std::fmt::Display;

/// Fails with every offence on a line of its own, below the rule that they break.
#[track_caller]
fn assert_none<T: Display>(rule: &str, offences: &[T]) {
    let list: Vec<String> = offences.iter().map(|o| format!("  {o}")).collect();
    assert!(list.is_empty(), "{rule}\n{}", list.join("\n"));
}
