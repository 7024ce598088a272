//! Contacts, the identities they are known by, and their consent rows.
//!
//! Two BSUIDs never become one contact, a phone moves (design.md §3); ids are never rewritten: a contact that went
//! into another keeps its row and says so.

use sqlx::FromRow;

use super::{Result, StorageError, Tx, batch, execute, execute_rows, fetch_list};
use crate::domain::{ContactId, IdentityKind, TenantId, Timestamp};
use crate::policy::{ConsentParts, ConsentState};

/// One way in which a contact is known. `scope` is the portfolio for a BSUID and empty for a phone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityKey {
    pub tenant: TenantId,
    pub scope: String,
    pub kind: IdentityKind,
    pub value: String,
}

#[derive(FromRow)]
struct IdentityRow {
    tenant: i64,
    scope: String,
    kind: i64,
    value: String,
    contact: i64,
}

/// The contacts behind identities, for those that are known.
pub async fn find_identities_all_tenants(
    tx: &mut Tx,
    keys: &[IdentityKey],
) -> Result<Vec<(IdentityKey, ContactId)>> {
    let mut found = Vec::new();
    for run in batch::runs(keys) {
        let sql = batch::values(
            "SELECT i.tenant, i.scope, i.kind, i.value, i.contact FROM (VALUES",
            run.len(),
            4,
            1,
            ") AS v JOIN identity i
                ON i.tenant = v.column1 AND i.scope = v.column2 AND i.kind = v.column3 AND i.value = v.column4",
        );
        let rows: Vec<IdentityRow> = super::on_backend!(tx, |conn| {
            let mut query = sqlx::query_as(sql);
            for key in run {
                query = query
                    .bind(key.tenant.raw())
                    .bind(&key.scope)
                    .bind(key.kind as i64)
                    .bind(&key.value);
            }
            query.fetch_all(conn).await
        })?;
        for row in rows {
            let kind = match row.kind {
                1 => IdentityKind::Phone,
                2 => IdentityKind::Bsuid,
                other => return Err(StorageError::Corrupt(format!("identity kind {other}"))),
            };
            let tenant = TenantId::from_raw(row.tenant);
            let key = IdentityKey {
                tenant,
                scope: row.scope,
                kind,
                value: row.value,
            };
            found.push((key, ContactId::from_raw(row.contact)));
        }
    }
    Ok(found)
}

/// Adds identities that were not known. Answers how many went in: fewer than asked means that somebody else was faster.
pub async fn add_identities_all_tenants(
    tx: &mut Tx,
    identities: &[(IdentityKey, ContactId)],
    now: Timestamp,
) -> Result<usize> {
    let mut added = 0;
    for run in batch::runs(identities) {
        let sql = batch::values(
            "INSERT INTO identity (tenant, scope, kind, value, contact, first_seen_at) VALUES",
            run.len(),
            6,
            1,
            "ON CONFLICT (tenant, scope, kind, value) DO NOTHING",
        );
        added += execute_rows!(tx, sql, run, |query, (key, contact)| {
            query
                .bind(key.tenant.raw())
                .bind(&key.scope)
                .bind(key.kind as i64)
                .bind(&key.value)
                .bind(contact.raw())
                .bind(now.millis())
        })?;
    }
    Ok(usize::try_from(added).unwrap_or(usize::MAX))
}

/// Who had an identity and who has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub from: ContactId,
    pub to: ContactId,
}

/// Makes a known identity point at another contact: a phone moves to the person who has it now, and the one who had it
/// is not written to there any more.
pub async fn move_identity(
    tx: &mut Tx,
    tenant: TenantId,
    key: &IdentityKey,
    moved: Moved,
) -> Result<()> {
    execute!(
        tx,
        sqlx::query(
            "UPDATE identity SET contact = $5 WHERE tenant = $1 AND scope = $2 AND kind = $3 AND value = $4"
        )
        .bind(tenant.raw())
        .bind(&key.scope)
        .bind(key.kind as i64)
        .bind(&key.value)
        .bind(moved.to.raw())
    )?;
    let (gone, come) = match key.kind {
        IdentityKind::Phone => (
            "UPDATE contact SET phone = '' WHERE id = $1 AND tenant = $2 AND phone = $3",
            "UPDATE contact SET phone = $3 WHERE id = $1 AND tenant = $2",
        ),
        IdentityKind::Bsuid => (
            "UPDATE contact SET bsuid = '' WHERE id = $1 AND tenant = $2 AND bsuid = $3",
            "UPDATE contact SET bsuid = $3 WHERE id = $1 AND tenant = $2",
        ),
    };
    for (sql, contact) in [(gone, moved.from), (come, moved.to)] {
        execute!(
            tx,
            sqlx::query(sql)
                .bind(contact.raw())
                .bind(tenant.raw())
                .bind(&key.value)
        )?;
    }
    Ok(())
}

/// Does the contact have a BSUID within this portfolio?
pub async fn bsuid_of(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    scope: &str,
) -> Result<Option<String>> {
    Ok(super::on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT value FROM identity WHERE contact = $1 AND tenant = $2 AND scope = $3 AND kind = 2")
            .bind(contact.raw())
            .bind(tenant.raw())
            .bind(scope)
            .fetch_optional(conn)
            .await
    })?)
}

/// A contact's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    pub id: ContactId,
    pub tenant: TenantId,
    pub display_name: String,
    /// Empty when unknown.
    pub phone: String,
    pub bsuid: String,
}

/// Adds contacts, each with its consent row: the row that a claim and an opt-out both lock.
pub async fn add_contacts_all_tenants(
    tx: &mut Tx,
    contacts: &[ContactRow],
    now: Timestamp,
) -> Result<()> {
    for run in batch::runs(contacts) {
        let sql = batch::values(
            "INSERT INTO contact (id, tenant, display_name, phone, bsuid, created_at) VALUES",
            run.len(),
            6,
            1,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.tenant.raw())
                .bind(&row.display_name)
                .bind(&row.phone)
                .bind(&row.bsuid)
                .bind(now.millis())
        })?;
        let sql = batch::values(
            "INSERT INTO consent (contact, tenant, opt_out, since, reopened_at, meta_stopped_at, version) VALUES",
            run.len(),
            7,
            1,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.tenant.raw())
                .bind(0_i64)
                .bind(0_i64)
                .bind(0_i64)
                .bind(0_i64)
                .bind(0_i64)
        })?;
    }
    Ok(())
}

/// What a webhook newly says of a contact: its phone, BSUID or name. Empty values change nothing.
pub async fn update_contact(tx: &mut Tx, tenant: TenantId, row: &ContactRow) -> Result<()> {
    execute!(
        tx,
        sqlx::query(
            "UPDATE contact SET
                display_name = CASE WHEN $3 = '' THEN display_name ELSE $3 END,
                phone = CASE WHEN $4 = '' THEN phone ELSE $4 END,
                bsuid = CASE WHEN $5 = '' THEN bsuid ELSE $5 END
             WHERE id = $1 AND tenant = $2"
        )
        .bind(row.id.raw())
        .bind(tenant.raw())
        .bind(&row.display_name)
        .bind(&row.phone)
        .bind(&row.bsuid)
    )?;
    Ok(())
}

/// `gone` is `into` from now on. Its opt-out moves with the person, never an opt-in.
pub async fn merge_contact(
    tx: &mut Tx,
    tenant: TenantId,
    gone: ContactId,
    into: ContactId,
) -> Result<()> {
    execute!(
        tx,
        sqlx::query("UPDATE contact SET merged_into = $3 WHERE id = $1 AND tenant = $2")
            .bind(gone.raw())
            .bind(tenant.raw())
            .bind(into.raw())
    )?;
    execute!(
        tx,
        sqlx::query("UPDATE identity SET contact = $3 WHERE contact = $1 AND tenant = $2")
            .bind(gone.raw())
            .bind(tenant.raw())
            .bind(into.raw())
    )?;
    execute!(
        tx,
        sqlx::query(
            "UPDATE consent SET opt_out = o.opt_out, since = o.since, reopened_at = o.reopened_at,
                version = consent.version + 1
             FROM (SELECT opt_out, since, reopened_at FROM consent WHERE contact = $1 AND tenant = $2) AS o
             WHERE consent.contact = $3 AND o.opt_out > consent.opt_out"
        )
        .bind(gone.raw())
        .bind(tenant.raw())
        .bind(into.raw())
    )?;
    execute!(
        tx,
        sqlx::query(
            "UPDATE consent SET meta_stopped_at = o.meta_stopped_at, version = consent.version + 1
             FROM (SELECT meta_stopped_at FROM consent WHERE contact = $1 AND tenant = $2) AS o
             WHERE consent.contact = $3 AND o.meta_stopped_at > consent.meta_stopped_at"
        )
        .bind(gone.raw())
        .bind(tenant.raw())
        .bind(into.raw())
    )?;
    Ok(())
}

/// A consent row with the version that a change must still find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    pub contact: ContactId,
    pub state: ConsentState,
    pub version: i64,
}

#[derive(FromRow)]
struct ConsentRow {
    contact: i64,
    opt_out: i64,
    since: i64,
    reopened_at: i64,
    meta_stopped_at: i64,
    version: i64,
}

/// Consent of these contacts, their rows locked until the transaction ends (promise 4). Locks are taken in the order
/// of contact ids, whatever the order given, so that two transactions never wait for each other.
pub async fn lock_consent_all_tenants(tx: &mut Tx, contacts: &[ContactId]) -> Result<Vec<Consent>> {
    consent(tx, contacts, "ORDER BY contact FOR UPDATE").await
}

/// Consent of these contacts as it stands, unlocked: for a first decision that delivery will take again.
pub async fn read_consent_all_tenants(tx: &mut Tx, contacts: &[ContactId]) -> Result<Vec<Consent>> {
    consent(tx, contacts, "").await
}

async fn consent(tx: &mut Tx, contacts: &[ContactId], postgres_tail: &str) -> Result<Vec<Consent>> {
    let tail = if tx.is_postgres() { postgres_tail } else { "" };
    let head = "SELECT contact, opt_out, since, reopened_at, meta_stopped_at, version FROM consent WHERE contact IN";
    let ids = batch::sorted(contacts.iter().map(|contact| contact.raw()));
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::runs(&ids) {
        let sql = batch::list(head, run.len(), 1, tail);
        let rows: Vec<ConsentRow> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        for row in rows {
            found.push(consent_of(row)?);
        }
    }
    Ok(found)
}

fn consent_of(row: ConsentRow) -> Result<Consent> {
    let some = |millis: i64| (millis != 0).then_some(millis);
    let parts = ConsentParts {
        opt_out: row.opt_out,
        since: some(row.since),
        replies_reopened_at: some(row.reopened_at),
        meta_stopped_at: some(row.meta_stopped_at),
    };
    let state = ConsentState::from_parts(parts)
        .ok_or_else(|| StorageError::Corrupt(format!("consent level {}", row.opt_out)))?;
    Ok(Consent {
        contact: ContactId::from_raw(row.contact),
        state,
        version: row.version,
    })
}

/// Writes a contact's consent. `false`: the row moved since it was read, and nothing was written.
pub async fn set_consent(tx: &mut Tx, tenant: TenantId, consent: &Consent) -> Result<bool> {
    let parts = consent.state.to_parts();
    let touched = execute!(
        tx,
        sqlx::query(
            "UPDATE consent SET opt_out = $3, since = $4, reopened_at = $5, meta_stopped_at = $6, version = version + 1
             WHERE contact = $1 AND tenant = $2 AND version = $7"
        )
        .bind(consent.contact.raw())
        .bind(tenant.raw())
        .bind(parts.opt_out)
        .bind(parts.since.unwrap_or(0))
        .bind(parts.replies_reopened_at.unwrap_or(0))
        .bind(parts.meta_stopped_at.unwrap_or(0))
        .bind(consent.version)
    )?;
    Ok(touched == 1)
}
