//! What operators do to a deployment: commands, carried out the same way whoever asks.
//!
//! `vestibule app add …` on a machine whose server runs (SQLite) reaches [`socket`], else it calls [`execute`] itself,
//! holding [`DataLock`]. On PostgreSQL it always does; running nodes notice by the change counter.

mod answer;
mod audit;
mod client;
mod command;
mod consent;
mod context;
mod error;
mod exposed;
mod keys;
mod local;
mod lock;
mod permission;
mod plugin_health;
mod plugins;
mod secrets;
mod socket;
mod templates;

pub use answer::Answer;
pub use client::{Unreachable, ask};
pub use command::Command;
pub use consent::ConsentCommand;
pub use context::{AdminContext, execute};
pub use error::AdminError;
pub use local::{
    Local, OpenError, compiler, compiler_of, graph, load_keyring, lock, open_database, own_program,
};
pub use lock::{DataLock, LockError, prepare_data_dir};
pub use plugins::{
    PluginAuthor, PluginCommand, PluginInstall, PluginSet, PluginSource, PluginTerms,
};
pub use socket::AdminSocket;
pub use templates::{TemplateCommand, line as finding_line};

#[cfg(test)]
mod tests;
