//! `vestibule number …`

use clap::{Args, Subcommand};

use crate::admin::Command;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Connect a business phone number.
    Add(Add),
    /// Disconnect a number. Its history stays; connected again for the same tenant it is the same number.
    Remove {
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
        /// Meta's phone-number id, our id or the number as it is displayed.
        number: String,
        /// Withdraw what is queued for it; without this, queued sends are a reason to refuse.
        #[arg(long)]
        cancel_queued: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Meta's phone-number id.
    phone_number_id: String,
    /// Name or id of the tenant.
    #[arg(long)]
    tenant: String,
    /// Name or id of the tenant's credential that it sends with.
    #[arg(long)]
    credential: String,
    /// Id of the WhatsApp Business Account.
    #[arg(long, value_name = "ID")]
    waba: String,
    /// The number as people write it, like "+49 151 12345678".
    #[arg(long, value_name = "NUMBER")]
    display: String,
    /// Meta app whose webhooks carry it. Default: the default app.
    #[arg(long)]
    app: Option<String>,
    /// Business portfolio that owns the WABA: the scope of its customers' ids. Default: the WABA's id.
    #[arg(long, value_name = "ID")]
    portfolio: Option<String>,
    /// IANA time zone of the WABA.
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    time_zone: String,
    /// Messages a second that Meta allows it.
    #[arg(long, default_value_t = 80)]
    throughput: i64,
}

impl Verb {
    pub(super) fn command(self) -> Command {
        let add = match self {
            Self::Add(add) => add,
            Self::Remove {
                tenant,
                number,
                cancel_queued,
            } => {
                return Command::NumberRemove {
                    tenant,
                    number,
                    cancel_queued,
                };
            }
        };
        Command::NumberAdd {
            tenant: add.tenant,
            app: add.app,
            credential: add.credential,
            portfolio: add.portfolio,
            waba_id: add.waba,
            phone_number_id: add.phone_number_id,
            display_number: add.display,
            time_zone: add.time_zone,
            throughput: add.throughput,
        }
    }
}
