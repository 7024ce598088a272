//! `audit verify`: every chain of the audit log, read again and compared with what was sealed.

use super::answer::{Answer, record};
use super::error::AdminError;
use crate::audit::{self, LEDGER, OPERATOR, Report};
use crate::domain::TenantId;
use crate::storage::audit::{Ledger, tenants_with_chains_all_tenants};
use crate::tenants::{SetupContext, SetupError};

/// What is not sealed yet is sealed first, so that a deployment whose server does not run is verified whole. A fault is
/// a refusal: the command fails, for whoever runs it every night.
pub(super) async fn verify(setup: &SetupContext, heads: &[String]) -> Result<Answer, AdminError> {
    let key = setup.keyring.chain_key();
    let (db, mut reports) = (&setup.db, Vec::new());
    audit::seal_all(db, &key).await.map_err(SetupError::from)?;
    let mut tx = db.read().await.map_err(SetupError::from)?;
    let tenants = tenants_with_chains_all_tenants(&mut tx, LEDGER).await;
    drop(tx);
    for tenant in tenants.map_err(SetupError::from)? {
        let report = audit::verify(db, &key, tenant).await;
        reports.push((tenant, report.map_err(SetupError::from)?));
    }
    let mut faults: Vec<String> = reports.iter().flat_map(faults).collect();
    for head in heads {
        faults.extend(lost(setup, head).await?);
    }
    if !faults.is_empty() {
        let list = faults.join("\n  ");
        return Err(AdminError::Refused(format!(
            "the audit log is not what was sealed:\n  {list}"
        )));
    }
    let view = |(tenant, report): (TenantId, Report)| {
        record! {
            "chain" => name(tenant),
            "entries" => report.entries,
            "head" => audit::write_head(&report.head),
        }
    };
    Ok(Answer::List(reports.into_iter().map(view).collect()))
}

/// `CHAIN SEQ:MAC`, as it was printed: what is wrong when the chain has it no more.
async fn lost(setup: &SetupContext, text: &str) -> Result<Option<String>, AdminError> {
    let wrong = || AdminError::Refused(format!("`{text}` is no head: expected `CHAIN SEQ:MAC`"));
    let (chain, head) = text.split_once(' ').ok_or_else(wrong)?;
    let head = audit::read_head(head.trim()).ok_or_else(wrong)?;
    let tenant = match chain {
        "operator" => OPERATOR,
        id => id.parse().map_err(|_| wrong())?,
    };
    let mut tx = setup.db.read().await.map_err(SetupError::from)?;
    let there = audit::holds_head(&mut tx, tenant, Ledger::Audit, &head).await;
    let there = there.map_err(SetupError::from)?;
    Ok((!there).then(|| format!("{chain}, place {}: {}", head.seq, audit::LOST_HEAD)))
}

fn faults((tenant, report): &(TenantId, Report)) -> Vec<String> {
    let line = |fault: &audit::Fault| {
        let entry = fault
            .entry
            .as_ref()
            .map_or_else(String::new, |id| format!(" ({id})"));
        format!(
            "{}, place {}{entry}: {}",
            name(*tenant),
            fault.seq,
            fault.what
        )
    };
    report.faults.iter().map(line).collect()
}

fn name(tenant: TenantId) -> String {
    match tenant {
        OPERATOR => "operator".to_owned(),
        tenant => tenant.to_string(),
    }
}
