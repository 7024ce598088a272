//! `vestibule hold …`

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::admin::Command;
use crate::domain::HoldId;
use crate::tenants::holds::Scope;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Stop sending.
    #[command(subcommand)]
    Add(Add),
    /// Lift a hold. What it refused stays refused.
    Lift {
        /// The hold's id.
        hold: HoldId,
    },
    /// Holds in force.
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum Add {
    /// Every send of this deployment.
    All(Why),
    /// Every send of a tenant.
    Tenant {
        tenant: String,
        #[command(flatten)]
        why: Why,
    },
    /// Every send of a tenant's number.
    Number {
        tenant: String,
        number: String,
        #[command(flatten)]
        why: Why,
    },
    /// What a tenant's plugin wants to send.
    Plugin {
        tenant: String,
        plugin: String,
        #[command(flatten)]
        why: Why,
    },
    /// Every send with a tenant's credential.
    Credential {
        tenant: String,
        credential: String,
        #[command(flatten)]
        why: Why,
    },
    /// Every template of a tenant; replies without one go on.
    AllTemplates {
        tenant: String,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why, for those who meet it.
    #[arg(long)]
    reason: String,
    /// Who places it.
    #[arg(long, default_value = "operator")]
    by: String,
    /// How long, like "2h". Default: until it is lifted.
    #[arg(long = "for", value_name = "DURATION")]
    lasts: Option<jiff::SignedDuration>,
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        match self {
            Self::Add(add) => add.command(),
            Self::Lift { hold } => Ok(Command::HoldLift { hold }),
            Self::List => Ok(Command::HoldList),
        }
    }
}

impl Add {
    fn command(self) -> anyhow::Result<Command> {
        let (scope, why) = match self {
            Self::All(why) => (Scope::All, why),
            Self::Tenant { tenant, why } => (Scope::Tenant { tenant }, why),
            Self::Number {
                tenant,
                number,
                why,
            } => (Scope::Number { tenant, number }, why),
            Self::Plugin {
                tenant,
                plugin,
                why,
            } => (Scope::Plugin { tenant, plugin }, why),
            Self::Credential {
                tenant,
                credential,
                why,
            } => (Scope::Credential { tenant, credential }, why),
            Self::AllTemplates { tenant, why } => (Scope::AllTemplates { tenant }, why),
        };
        let seconds = why
            .lasts
            .map(|lasts| u64::try_from(lasts.as_secs()))
            .transpose();
        Ok(Command::HoldAdd {
            scope,
            reason: why.reason,
            by: why.by,
            seconds: seconds.context("a hold cannot last a negative time")?,
        })
    }
}
