//! `vestibule tenant …`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::admin::Command;
use crate::checklist::Item;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a tenant.
    Add {
        /// What people call it; unique.
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Replace a tenant's settings. What is not said has its default again.
    Set {
        /// Name or id of the tenant.
        tenant: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// A tenant, with its settings as they hold.
    Show {
        /// Name or id of the tenant.
        tenant: String,
    },
    /// All tenants.
    List,
    /// Is it ready to go live? Each line with what was seen and what to do.
    Checklist {
        /// Name or id of the tenant.
        tenant: String,
        /// First let a customer of the simulator write STOP to each number, and wait for the confirmations. Where Graph is
        /// Meta, write it from a phone.
        #[arg(long)]
        say_stop: bool,
    },
    /// Vouch for a line of the checklist that nobody can see here, or take the word back.
    Attest {
        /// Name or id of the tenant.
        tenant: String,
        /// The line's word, as the checklist shows it.
        #[arg(value_parser = item)]
        item: Item,
        /// What you have seen or done, and who you are.
        #[arg(long, required_unless_present = "withdraw")]
        note: Option<String>,
        /// Take the word back.
        #[arg(long, conflicts_with = "note")]
        withdraw: bool,
    },
    /// Remove a tenant that has no numbers, credentials, plugins and hooks any more, and forget its people.
    Remove {
        /// Name or id of the tenant.
        tenant: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Settings {
    /// Its settings, a JSON object.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    settings: String,
    /// File with its settings.
    #[arg(long, conflicts_with = "settings", value_name = "FILE")]
    settings_file: Option<PathBuf>,
}

fn item(word: &str) -> Result<Item, String> {
    Item::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Item::ALL.into_iter().map(Item::word).collect();
        format!("must be one of {}", words.join(", "))
    })
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Add { name, settings } => Command::TenantAdd {
                name,
                settings: settings.read()?,
            },
            Self::Set { tenant, settings } => Command::TenantSet {
                tenant,
                settings: settings.read()?,
            },
            Self::Show { tenant } => Command::TenantShow { tenant },
            Self::List => Command::TenantList,
            Self::Checklist { tenant, .. } => Command::TenantChecklist { tenant },
            Self::Attest {
                tenant, item, note, ..
            } => Command::TenantAttest { tenant, item, note },
            Self::Remove { tenant } => Command::TenantRemove { tenant },
        })
    }
}

impl Settings {
    fn read(self) -> anyhow::Result<String> {
        match &self.settings_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display())),
            None => Ok(self.settings),
        }
    }
}
