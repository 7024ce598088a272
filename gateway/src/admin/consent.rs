//! `consent …`: the ledger verified, lists imported, a person's file, a person erased.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use super::answer::{Answer, record};
use super::context::AdminContext;
use super::error::AdminError;
use crate::audit::{self, Fault};
use crate::consent::blocks::{self, BlockError, Listed, Standing};
use crate::consent::import::{ImportError, Importing};
use crate::consent::rows::Format;
use crate::consent::{self, LEDGER, erase, file};
use crate::domain::{ContactId, IdentityKind, NumberId, Phone, TenantId};
use crate::storage::audit::{Ledger, tenants_with_chains_all_tenants};
use crate::storage::people::{self, IdentityKey};
use crate::storage::{Db, StorageError};
use crate::tenants::{SetupContext, SetupError, find_tenant, numbers};

/// People of a page of Meta's block list, and of an answer: all that Meta lets a number block (facts §6.10).
const PAGE: usize = 1_000;
const MOST: usize = 64_000;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "consent", rename_all = "snake_case", deny_unknown_fields)]
pub enum ConsentCommand {
    Verify {
        /// Heads of earlier verifications, `TENANT SEQ:MAC`.
        heads: Vec<String>,
    },
    Import {
        tenant: String,
        /// Read by whoever carries the command out.
        file: PathBuf,
        json_lines: bool,
        dry_run: bool,
    },
    Export {
        tenant: String,
        /// Our id, or a phone.
        contact: String,
        format: file::Format,
        /// Which part of it.
        place: file::Place,
    },
    Erase {
        tenant: String,
        contact: String,
    },
    Block {
        tenant: String,
        /// Our id, Meta's, or as people write it.
        number: String,
        contact: String,
        note: String,
    },
    Unblock {
        tenant: String,
        number: String,
        contact: String,
    },
    Blocked {
        tenant: String,
        number: String,
    },
}

impl ConsentCommand {
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Verify { .. } => "consent_verify",
            Self::Import { .. } => "consent_import",
            Self::Export { .. } => "consent_export",
            Self::Erase { .. } => "consent_erase",
            Self::Block { .. } => "consent_block",
            Self::Unblock { .. } => "consent_unblock",
            Self::Blocked { .. } => "consent_blocked",
        }
    }
}

pub(super) async fn execute(
    context: &AdminContext,
    command: ConsentCommand,
) -> Result<Answer, AdminError> {
    let (setup, graph) = (&context.setup, &context.graph);
    match command {
        ConsentCommand::Verify { heads } => verify(setup, &heads).await,
        ConsentCommand::Import {
            tenant,
            file,
            json_lines,
            dry_run,
        } => {
            let format = match json_lines {
                true => Format::JsonLines,
                false => Format::Csv,
            };
            let tenant = find_tenant(setup, &tenant).await?.id;
            import(context, tenant, &file, format, dry_run).await
        }
        ConsentCommand::Export {
            tenant,
            contact,
            format,
            place,
        } => {
            let whose = whom(setup, &tenant, &contact).await?;
            let (text, next) = file::part(setup, whose, format, place).await?;
            Ok(Answer::Record(
                record! { "part" => text, "next" => next, "contact" => whose.1, },
            ))
        }
        ConsentCommand::Erase { tenant, contact } => {
            let (tenant, contact) = whom(setup, &tenant, &contact).await?;
            let job = erase::begin(setup, tenant, contact).await?;
            Ok(Answer::Record(record! {
                "erased" => contact,
                "job" => job.id,
                "note" => "a running node walks through messages, journals and bodies: see the job",
            }))
        }
        ConsentCommand::Block {
            tenant,
            number,
            contact,
            note,
        } => {
            let (tenant, contact) = whom(setup, &tenant, &contact).await?;
            let number = numbers::find_named(setup, tenant, &number).await?.id;
            let standing = blocks::block(setup, graph, (tenant, number, contact), &note).await;
            Ok(standing.map(stands).map_err(refusal)?)
        }
        ConsentCommand::Unblock {
            tenant,
            number,
            contact,
        } => {
            let (tenant, contact) = whom(setup, &tenant, &contact).await?;
            let number = numbers::find_named(setup, tenant, &number).await?.id;
            let standing = blocks::unblock(setup, graph, (tenant, number, contact)).await;
            Ok(standing.map(stands).map_err(refusal)?)
        }
        ConsentCommand::Blocked { tenant, number } => {
            let tenant = find_tenant(setup, &tenant).await?.id;
            let number = numbers::find_named(setup, tenant, &number).await?.id;
            blocked(context, tenant, number).await
        }
    }
}

fn stands(standing: Standing) -> Answer {
    Answer::Record(record! {
        "contact" => standing.contact,
        "number" => standing.number,
        "is_blocked" => standing.is_blocked,
    })
}

/// The whole list, as far as one answer holds it.
async fn blocked(
    context: &AdminContext,
    tenant: TenantId,
    number: NumberId,
) -> Result<Answer, AdminError> {
    let (setup, graph) = (&context.setup, &context.graph);
    let (mut people, mut after) = (Vec::new(), None);
    loop {
        let whose = (tenant, number);
        let page = blocks::list(setup, graph, whose, after.as_deref(), PAGE).await;
        let (some, next) = page.map_err(refusal)?;
        people.extend(some);
        after = next;
        if after.is_none() || people.len() >= MOST {
            break;
        }
    }
    let view = |one: Listed| {
        record! { "contact" => one.contact, "phone" => one.phone, "bsuid" => one.bsuid, }
    };
    Ok(Answer::List(people.into_iter().map(view).collect()))
}

fn refusal(error: BlockError) -> AdminError {
    match error {
        BlockError::Setup(error) => error.into(),
        BlockError::Meta(failed) => failed.into(),
    }
}

/// A contact by our id or a phone.
async fn whom(
    setup: &SetupContext,
    tenant: &str,
    contact: &str,
) -> Result<(TenantId, ContactId), AdminError> {
    let tenant = find_tenant(setup, tenant).await?.id;
    if let Ok(id) = contact.parse() {
        return Ok((tenant, id));
    }
    let none = || SetupError::not_found("contact", contact);
    let phone = Phone::parse(contact).ok_or_else(none)?;
    let key = IdentityKey {
        tenant,
        scope: String::new(),
        kind: IdentityKind::Phone,
        value: phone.digits().to_owned(),
    };
    let mut tx = setup.db.read().await.map_err(SetupError::from)?;
    let found = people::find_identities_all_tenants(&mut tx, &[key]).await;
    let found = found.map_err(SetupError::from)?;
    let (_, identity) = found.first().ok_or_else(none)?;
    Ok((tenant, identity.contact))
}

async fn import(
    context: &AdminContext,
    tenant: TenantId,
    file: &std::path::Path,
    format: Format,
    dry_run: bool,
) -> Result<Answer, AdminError> {
    let unread = |error: std::io::Error| {
        AdminError::Refused(format!("{} cannot be read: {error}", file.display()))
    };
    let refused = |error: ImportError| match error {
        ImportError::List(error) => AdminError::Refused(format!("{}: {error}", file.display())),
        ImportError::Setup(error) => error.into(),
    };
    let mut list = tokio::fs::File::open(file).await.map_err(unread)?;
    let mut importing = Importing::begin(&context.setup, tenant, format, &context.traffic)
        .await
        .map_err(refused)?;
    let mut chunk = vec![0; 256 << 10];
    loop {
        let read = list.read(&mut chunk).await.map_err(unread)?;
        if read == 0 {
            break;
        }
        importing.take(&chunk[..read]).await.map_err(refused)?;
    }
    let job = importing.finish(dry_run).await.map_err(refused)?;
    Ok(Answer::Record(record! {
        "job" => job.id,
        "rows" => job.total,
        "note" => "a running node records them: see the job",
    }))
}

/// What is not sealed yet is sealed first. A fault is a refusal: the command fails, for whoever runs it every night.
async fn verify(setup: &SetupContext, heads: &[String]) -> Result<Answer, AdminError> {
    let reports = reports(&setup.db, &setup.keyring.chain_key()).await;
    let reports = reports.map_err(SetupError::from)?;
    let mut faults: Vec<String> = Vec::new();
    for (tenant, report) in &reports {
        faults.extend(report.faults.iter().map(|fault| line(*tenant, fault)));
    }
    for head in heads {
        faults.extend(lost(setup, head).await?);
    }
    if !faults.is_empty() {
        let list = faults.join("\n  ");
        return Err(AdminError::Refused(format!(
            "the consent ledger is not what was sealed:\n  {list}"
        )));
    }
    let view = |(tenant, report): (TenantId, consent::Report)| {
        record! {
            "tenant" => tenant,
            "records" => report.records,
            "head" => audit::write_head(&report.head),
        }
    };
    Ok(Answer::List(reports.into_iter().map(view).collect()))
}

type Reports = Vec<(TenantId, consent::Report)>;

async fn reports(db: &Db, key: &audit::chain::ChainKey) -> Result<Reports, StorageError> {
    audit::seal_all(db, key).await?;
    let mut tx = db.read().await?;
    let tenants = tenants_with_chains_all_tenants(&mut tx, LEDGER).await?;
    drop(tx);
    let mut reports = Vec::with_capacity(tenants.len());
    for tenant in tenants {
        reports.push((tenant, consent::verify(db, key, tenant).await?));
    }
    Ok(reports)
}

/// `TENANT SEQ:MAC`, as it was printed: what is wrong when the chain has it no more.
async fn lost(setup: &SetupContext, text: &str) -> Result<Option<String>, AdminError> {
    let wrong = || AdminError::Refused(format!("`{text}` is no head: expected `TENANT SEQ:MAC`"));
    let (tenant, head) = text.split_once(' ').ok_or_else(wrong)?;
    let head = audit::read_head(head.trim()).ok_or_else(wrong)?;
    let tenant: TenantId = tenant.parse().map_err(|_| wrong())?;
    let mut tx = setup.db.read().await.map_err(SetupError::from)?;
    let there = audit::holds_head(&mut tx, tenant, Ledger::Consent, &head).await;
    let there = there.map_err(SetupError::from)?;
    Ok((!there).then(|| format!("{tenant}, place {}: {}", head.seq, audit::LOST_HEAD)))
}

fn line(tenant: TenantId, fault: &Fault) -> String {
    let record = fault.entry.as_ref();
    let record = record.map_or_else(String::new, |id| format!(" ({id})"));
    format!("{tenant}, place {}{record}: {}", fault.seq, fault.what)
}
