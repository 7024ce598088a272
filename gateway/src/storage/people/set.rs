//! Consent rows written, one or many in a statement.

use super::Consent;
use crate::domain::TenantId;
use crate::storage::{Result, Tx, batch, execute_rows};

/// Writes a contact's consent. `false`: the row moved since it was read (a merge moves it too), and nothing was written.
pub async fn set_consent(tx: &mut Tx, tenant: TenantId, consent: &Consent) -> Result<bool> {
    Ok(set_consents(tx, tenant, std::slice::from_ref(consent)).await? == 1)
}

/// The same of many, each once. Answers how many were as they were read, and so were written.
pub async fn set_consents(tx: &mut Tx, tenant: TenantId, rows: &[Consent]) -> Result<usize> {
    let mut written = 0;
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "UPDATE consent SET opt_out = v.column4, since = v.column5, reopened_at = v.column6,
                meta_stopped_at = v.column7, marketing_given_at = v.column8, utility_given_at = v.column9,
                utility_stopped_at = v.column10, topics = v.column11, topics_stopped = v.column12,
                version = consent.version + 1
             FROM (VALUES",
            12,
            ") AS v WHERE consent.contact = v.column1 AND consent.tenant = v.column2 AND consent.version = v.column3",
        );
        written += execute_rows!(tx, sql, run, |query, row| {
            let parts = row.state.to_parts();
            query
                .bind(row.contact.raw())
                .bind(tenant.raw())
                .bind(row.version)
                .bind(parts.opt_out)
                .bind(parts.since.unwrap_or(0))
                .bind(parts.replies_reopened_at.unwrap_or(0))
                .bind(parts.meta_stopped_at.unwrap_or(0))
                .bind(parts.marketing_given_at.unwrap_or(0))
                .bind(parts.utility_given_at.unwrap_or(0))
                .bind(parts.utility_stopped_at.unwrap_or(0))
                .bind(parts.topics)
                .bind(parts.topics_stopped)
        })?;
    }
    Ok(usize::try_from(written).unwrap_or(usize::MAX))
}
