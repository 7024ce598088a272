//! What services are called with where no node is beside them.

use std::path::Path;
use std::sync::Arc;

use vestibule::audit::Actor;
use vestibule::domain::{Clock, IdGenerator};
use vestibule::secrets::{Keyring, Missing, Source, SystemEntropy};
use vestibule::storage::{Db, Ending};
use vestibule::tenants::{Giver, SetupContext};

/// Keys of a folder's own, made when they are first asked for.
pub fn keys_in(folder: &Path) -> Arc<Keyring> {
    let source = Source::File {
        path: folder.join("keys.toml"),
        if_missing: Missing::Create,
    };
    let keyring = Keyring::load(source, Arc::new(SystemEntropy)).expect("keys are made");
    Arc::new(keyring)
}

/// In the gateway's own name, with what the configuration says by default.
pub fn setup_context(
    db: Db,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
) -> SetupContext {
    SetupContext {
        db,
        keyring,
        clock,
        ids: Arc::new(ids),
        require_signature: false,
        uploads_per_tenant: 500,
        changed: Arc::default(),
        by: Actor::gateway(),
        giver: Giver::Operator,
        ending: Ending::default(),
    }
}
