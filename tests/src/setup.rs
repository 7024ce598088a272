//! Keys for services that are called where no node is beside them.

use std::path::Path;
use std::sync::Arc;

use vestibule::secrets::Keyring;

/// Keys of a folder's own, made when they are first asked for.
pub fn keys_in(folder: &Path) -> Arc<Keyring> {
    let keyring = Keyring::of_file(folder.join("keys.toml")).expect("keys are made");
    Arc::new(keyring)
}
