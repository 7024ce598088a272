//! `vestibule contact …`

use clap::Subcommand;

use crate::admin::Command;
use crate::domain::ContactId;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Erase what the journal of turns has of a contact: what plugins saw, did and logged. A job does it.
    EraseJournals {
        contact: ContactId,
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
    },
}

impl Verb {
    pub(super) fn command(self) -> Command {
        match self {
            Self::EraseJournals { contact, tenant } => {
                Command::ContactEraseJournals { tenant, contact }
            }
        }
    }
}
