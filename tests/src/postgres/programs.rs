//! Where PostgreSQL's programs are, and as whom they can run.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// PostgreSQL is not installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "PostgreSQL's `initdb` and `postgres` were found neither in /usr/lib/postgresql/*/bin nor in PATH"
)]
pub struct Missing;

/// Somebody the server can run as: PostgreSQL refuses root.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

/// The folder with `initdb` and `postgres`: Debian's newest version, else the first of PATH that has both.
pub(super) fn folder() -> Result<PathBuf, Missing> {
    debian()
        .into_iter()
        .chain(path())
        .find(|folder| has_both(folder))
        .ok_or(Missing)
}

fn has_both(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

fn debian() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[allow(clippy::disallowed_methods, reason = "PATH is where programs are")]
pub(crate) fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default()
}

/// Whom to become: nobody else when we are not root, else `postgres`, else `nobody`.
pub(super) fn other_user() -> Option<User> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let people = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| user(&people, name))
}

fn user(people: &str, name: &str) -> Option<User> {
    let line = people
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut ids = line
        .split(':')
        .skip(2)
        .map_while(|field| field.parse().ok());
    Some(User {
        uid: ids.next()?,
        gid: ids.next()?,
    })
}

impl User {
    pub(super) fn own(self, path: &Path) -> std::io::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
    }

    pub(super) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}
