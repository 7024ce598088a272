//! The machine: data folder, keys, kernel.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::Finding;
use crate::admin;
use crate::config::Config;

const GROUP_AND_OTHERS: u32 = 0o077;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    vec![data_dir(config), keys(config), swap()]
}

fn data_dir(config: &Config) -> Finding {
    const WHAT: &str = "data folder";
    let dir = &config.data_dir;
    let metadata = match std::fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(_) => {
            let detail = format!("{} is not there yet; it will be made", dir.display());
            return Finding::doubtful(WHAT, detail);
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    match (mode & GROUP_AND_OTHERS, ours) {
        (_, false) => Finding::bad(WHAT, format!("{} belongs to another user", dir.display())),
        (0, true) => Finding::good(WHAT, dir.display().to_string()),
        (_, true) => {
            let detail = format!(
                "mode {mode:o}: others may look in; `chmod 700 {}`",
                dir.display()
            );
            Finding::bad(WHAT, detail)
        }
    }
}

fn keys(config: &Config) -> Finding {
    const WHAT: &str = "keys";
    let file = config.key_file();
    if config.secrets.keys.is_empty() && !file.exists() && config.sqlite_file().is_some() {
        let detail = format!("{} is not there yet; it will be made", file.display());
        return Finding::doubtful(WHAT, detail);
    }
    match admin::load_keyring(config) {
        Ok(keyring) => {
            let all = keyring.key_ids().len();
            Finding::good(
                WHAT,
                format!("{all} sealing keys, newest {}", keyring.newest()),
            )
        }
        Err(error) => Finding::failed(WHAT, error),
    }
}

/// Memory that held a tenant's data or a key may be written to swap, and stays there.
fn swap() -> Finding {
    const WHAT: &str = "swap";
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    match swaps.lines().count() {
        0 | 1 => Finding::good(WHAT, "off"),
        _ => Finding::doubtful(
            WHAT,
            "on: keys and messages may be written to it; encrypt it or turn it off",
        ),
    }
}
