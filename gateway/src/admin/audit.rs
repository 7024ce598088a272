//! `audit verify`: every chain of the audit log, read again and compared with what was sealed.

use super::answer::{Answer, record};
use super::error::AdminError;
use crate::audit::{self, LEDGER, OPERATOR, Report};
use crate::domain::TenantId;
use crate::storage::audit::tenants_with_chains_all_tenants;
use crate::tenants::{SetupContext, SetupError};

/// What is not sealed yet is sealed first, so that a deployment whose server does not run is verified whole. A fault is
/// a refusal: the command fails, for whoever runs it every night.
pub(super) async fn verify(setup: &SetupContext) -> Result<Answer, AdminError> {
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
    let faults: Vec<String> = reports.iter().flat_map(faults).collect();
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
            "head" => format!("{}:{}", report.head.seq, hex::encode(&report.head.mac)),
        }
    };
    Ok(Answer::List(reports.into_iter().map(view).collect()))
}

fn faults((tenant, report): &(TenantId, Report)) -> Vec<String> {
    let line = |fault: &audit::Fault| {
        let entry = fault
            .entry
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
