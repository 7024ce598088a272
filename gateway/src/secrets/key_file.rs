//! The key file: TOML, readable by its owner only, replaced as a whole.
//!
//! A crash at any instruction leaves the old file or the new one: written beside, synced, renamed, folder synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::keys::{Keys, KeysError};

const HEAD: &str = "\
# Vestibule's keys. Whoever has this file and the database can read every access token; without it nobody can.
# Keep a copy apart from the database's backups. `root` must never change; `vestibule keys rotate` adds a sealing key.
";
const GROUP_AND_OTHERS: u32 = 0o077;

/// Why a key file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("the key file {0} cannot be read or written")]
    Io(String, #[source] io::Error),
    #[error("the key file {0} may be read by others than its owner (mode {1:o}): `chmod 600 {0}`")]
    Open(String, u32),
    #[error("the key file {0} is not what `vestibule keys` writes")]
    NotKeys(String, #[source] KeysError),
    #[error("the key file {0} is not TOML")]
    NotToml(String),
}

pub(super) fn read(path: &Path) -> Result<Option<Keys>, KeyFileError> {
    let name = || path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(KeyFileError::Io(name(), error)),
    };
    let metadata = fs::metadata(path).map_err(|error| KeyFileError::Io(name(), error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & GROUP_AND_OTHERS != 0 {
        return Err(KeyFileError::Open(name(), mode));
    }
    let table: toml::Table = toml::from_str(&text).map_err(|_| KeyFileError::NotToml(name()))?;
    let entries: Vec<_> = table.iter().map(|(id, key)| entry(id, key)).collect();
    Keys::parse(entries.iter().map(|entry| entry.as_str()))
        .map(Some)
        .map_err(|error| KeyFileError::NotKeys(name(), error))
}

fn entry(id: &str, key: &toml::Value) -> Zeroizing<String> {
    Zeroizing::new(format!("{id}:{}", key.as_str().unwrap_or_default()))
}

pub(super) fn write(path: &Path, keys: &Keys) -> Result<(), KeyFileError> {
    let mut text = Zeroizing::new(HEAD.to_owned());
    text.push_str(&format!("root = \"{}\"\n", *keys.root.encode()));
    for (id, key) in &keys.sealing {
        text.push_str(&format!("{id} = \"{}\"\n", *key.encode()));
    }
    replace(path, text.as_bytes())
        .map_err(|error| KeyFileError::Io(path.display().to_string(), error))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
