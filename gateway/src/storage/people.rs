//! Contacts, the identities they are known by, and their consent rows.
//!
//! Two BSUIDs never become one contact, a phone moves (design.md §3), unless Meta says that it is one person; ids are
//! never rewritten: a contact that went into another keeps its rows, and its consent row says so.

mod set;

use std::collections::HashMap;

use sqlx::FromRow;

use super::{
    Result, StorageError, Tx, batch, execute, execute_rows, fetch_list, fetch_rows, rows::moment,
};
use crate::domain::{ContactId, IdentityKind, TenantId, Timestamp};
use crate::policy::{ConsentParts, ConsentState};

pub use set::{set_consent, set_consents};

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
    superseded_at: i64,
    merged_into: i64,
}

/// Whose an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub contact: ContactId,
    /// Since when the contact is known by something else. Whoever shows a phone later than this is somebody else.
    pub superseded_at: Option<Timestamp>,
}

impl Identity {
    pub fn of(contact: ContactId) -> Self {
        Self {
            contact,
            superseded_at: None,
        }
    }
}

/// The contacts behind identities, for those that are known, as who they are now.
///
/// A merge takes the identities along that it sees. One that another node adds at the same moment still points at the
/// contact that is gone, so merges are followed here as well.
pub async fn find_identities_all_tenants(
    tx: &mut Tx,
    keys: &[IdentityKey],
) -> Result<Vec<(IdentityKey, Identity)>> {
    let mut found: Vec<(IdentityKey, Identity)> = Vec::new();
    let mut merged = Vec::new();
    for run in batch::groups(tx, keys) {
        let sql = batch::rows(
            "SELECT i.tenant, i.scope, i.kind, i.value, i.contact, i.superseded_at, c.merged_into FROM (VALUES",
            4,
            ") AS v JOIN identity i
                ON i.tenant = v.column1 AND i.scope = v.column2 AND i.kind = v.column3 AND i.value = v.column4
                JOIN consent c ON c.contact = i.contact",
        );
        let rows: Vec<IdentityRow> = fetch_rows!(tx, sql, run, |query, key| {
            query
                .bind(key.tenant.raw())
                .bind(&key.scope)
                .bind(key.kind as i64)
                .bind(&key.value)
        })?;
        for row in rows {
            let kind = IdentityKind::from_code(row.kind)
                .ok_or_else(|| StorageError::Corrupt(format!("identity kind {}", row.kind)))?;
            let tenant = TenantId::from_raw(row.tenant);
            let key = IdentityKey {
                tenant,
                scope: row.scope,
                kind,
                value: row.value,
            };
            let contact = ContactId::from_raw(row.contact);
            merged.extend((row.merged_into != 0).then_some(contact));
            let superseded_at = row.superseded_at;
            let superseded_at = moment(superseded_at);
            let identity = Identity {
                contact,
                superseded_at,
            };
            found.push((key, identity));
        }
    }
    let now = read_consent_all_tenants(tx, &merged).await?;
    for (_, Identity { contact, .. }) in &mut found {
        *contact = now.of(*contact).map_or(*contact, |row| row.contact);
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
    for run in batch::groups(tx, identities) {
        let sql = batch::rows(
            "INSERT INTO identity (tenant, scope, kind, value, contact, first_seen_at) VALUES",
            6,
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
/// is not written to there any more. From a contact to itself, it is the contact's again after it was superseded.
pub async fn move_identity(
    tx: &mut Tx,
    tenant: TenantId,
    key: &IdentityKey,
    moved: Moved,
) -> Result<()> {
    execute!(
        tx,
        sqlx::query(
            "UPDATE identity SET contact = $5, superseded_at = 0
             WHERE tenant = $1 AND scope = $2 AND kind = $3 AND value = $4"
        )
        .bind(tenant.raw())
        .bind(&key.scope)
        .bind(key.kind as i64)
        .bind(&key.value)
        .bind(moved.to.raw())
    )?;
    let come = match key.kind {
        IdentityKind::Phone => "UPDATE contact SET phone = $3 WHERE id = $1 AND tenant = $2",
        IdentityKind::Bsuid => "UPDATE contact SET bsuid = $3 WHERE id = $1 AND tenant = $2",
        IdentityKind::ParentBsuid => {
            "UPDATE contact SET parent_bsuid = $3 WHERE id = $1 AND tenant = $2"
        }
    };
    for (sql, contact) in [(hides(key.kind), moved.from), (come, moved.to)] {
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

fn hides(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::Phone => {
            "UPDATE contact SET phone = '' WHERE id = $1 AND tenant = $2 AND phone = $3"
        }
        IdentityKind::Bsuid => {
            "UPDATE contact SET bsuid = '' WHERE id = $1 AND tenant = $2 AND bsuid = $3"
        }
        IdentityKind::ParentBsuid => {
            "UPDATE contact SET parent_bsuid = '' WHERE id = $1 AND tenant = $2 AND parent_bsuid = $3"
        }
    }
}

/// The person behind an identity is known by something else since `at`: they are not written to by it any more. It
/// still leads to them, for what comes late.
pub async fn supersede_identity(
    tx: &mut Tx,
    tenant: TenantId,
    key: &IdentityKey,
    contact: ContactId,
    at: Timestamp,
) -> Result<()> {
    execute!(
        tx,
        sqlx::query(
            "UPDATE identity SET superseded_at = $5
             WHERE tenant = $1 AND scope = $2 AND kind = $3 AND value = $4 AND superseded_at < $5"
        )
        .bind(tenant.raw())
        .bind(&key.scope)
        .bind(key.kind as i64)
        .bind(&key.value)
        .bind(at.millis())
    )?;
    execute!(
        tx,
        sqlx::query(hides(key.kind))
            .bind(contact.raw())
            .bind(tenant.raw())
            .bind(&key.value)
    )?;
    Ok(())
}

/// Everything that a contact is known by today.
pub async fn identities_of(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Vec<IdentityKey>> {
    let rows: Vec<(String, i64, String)> = super::on_backend!(tx, |conn| {
        sqlx::query_as(
            "SELECT scope, kind, value FROM identity WHERE contact = $1 AND tenant = $2 AND superseded_at = 0",
        )
        .bind(contact.raw())
        .bind(tenant.raw())
        .fetch_all(conn)
        .await
    })?;
    let key = |(scope, kind, value)| {
        let kind = IdentityKind::from_code(kind)
            .ok_or_else(|| StorageError::Corrupt(format!("identity kind {kind}")))?;
        Ok(IdentityKey {
            tenant,
            scope,
            kind,
            value,
        })
    };
    rows.into_iter().map(key).collect()
}

/// Meta said at `at` that the person is known by something else. A word of Meta's from before changes nothing.
pub async fn mark_moved(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE contact SET moved_at = $3 WHERE id = $1 AND tenant = $2 AND moved_at < $3";
    execute!(
        tx,
        sqlx::query(sql)
            .bind(contact.raw())
            .bind(tenant.raw())
            .bind(at.millis())
    )?;
    Ok(())
}

/// A contact's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    pub id: ContactId,
    pub tenant: TenantId,
    pub display_name: String,
    pub username: String,
    /// Empty when unknown.
    pub phone: String,
    pub bsuid: String,
    pub parent_bsuid: String,
}

impl ContactRow {
    /// A row that says nothing but whose it is.
    pub fn blank(tenant: TenantId, id: ContactId) -> Self {
        Self {
            id,
            tenant,
            display_name: String::new(),
            username: String::new(),
            phone: String::new(),
            bsuid: String::new(),
            parent_bsuid: String::new(),
        }
    }
}

/// Adds contacts, each with its consent row: the row that a claim and an opt-out both lock.
pub async fn add_contacts_all_tenants(
    tx: &mut Tx,
    contacts: &[ContactRow],
    now: Timestamp,
) -> Result<()> {
    for run in batch::groups(tx, contacts) {
        let sql = batch::rows(
            "INSERT INTO contact (id, tenant, display_name, username, phone, bsuid, parent_bsuid, created_at) VALUES",
            8,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.tenant.raw())
                .bind(&row.display_name)
                .bind(&row.username)
                .bind(&row.phone)
                .bind(&row.bsuid)
                .bind(&row.parent_bsuid)
                .bind(now.millis())
        })?;
        let sql = batch::rows(
            "INSERT INTO consent (contact, tenant, opt_out, since, reopened_at, meta_stopped_at, version) VALUES",
            7,
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

/// What a webhook newly says of a contact: its phone, BSUIDs or names. Empty values change nothing.
pub async fn update_contact(tx: &mut Tx, tenant: TenantId, row: &ContactRow) -> Result<()> {
    execute!(
        tx,
        sqlx::query(
            "UPDATE contact SET
                display_name = CASE WHEN $3 = '' THEN display_name ELSE $3 END,
                phone = CASE WHEN $4 = '' THEN phone ELSE $4 END,
                bsuid = CASE WHEN $5 = '' THEN bsuid ELSE $5 END,
                parent_bsuid = CASE WHEN $6 = '' THEN parent_bsuid ELSE $6 END,
                username = CASE WHEN $7 = '' THEN username ELSE $7 END
             WHERE id = $1 AND tenant = $2"
        )
        .bind(row.id.raw())
        .bind(tenant.raw())
        .bind(&row.display_name)
        .bind(&row.phone)
        .bind(&row.bsuid)
        .bind(&row.parent_bsuid)
        .bind(&row.username)
    )?;
    Ok(())
}

/// `gone` is `into` from now on: its identities go there, and what either stopped is stopped for the person.
/// `None`: one of them went into a third meanwhile, and nothing was written; the identities must be read again.
/// Else the consent of `into` before and after, for the ledger.
///
/// Both consent rows are locked, in the order of ids, so that an opt-out or claim of either comes wholly before or
/// wholly after. Outbox rows, conversations and events keep `gone`: a turn, a client or another node may be about to
/// write one more of them at any moment, so re-pointing them here could not be complete. Instead everybody who judges
/// by consent asks [`Consents`], which follows `merged_into`.
pub async fn merge_contact(
    tx: &mut Tx,
    tenant: TenantId,
    gone: ContactId,
    into: ContactId,
) -> Result<Option<(ConsentState, ConsentState)>> {
    let rows = lock_consent_all_tenants(tx, &[gone, into]).await?;
    let both = [gone, into].map(|id| rows.own(id).filter(|row| row.merged_into.is_none()));
    let [Some(lost), Some(kept)] = both else {
        return Ok(None);
    };
    let state = kept.state.joined(&lost.state);
    set_consent(tx, tenant, &Consent { state, ..*kept }).await?;
    execute!(
        tx,
        sqlx::query(
            "UPDATE consent SET merged_into = $3, version = version + 1 WHERE contact = $1 AND tenant = $2"
        )
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
    Ok(Some((kept.state, state)))
}

/// A consent row with the version that a change must still find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    pub contact: ContactId,
    pub state: ConsentState,
    pub version: i64,
    /// The contact that it went into: that one's row counts, this one is history.
    pub merged_into: Option<ContactId>,
    /// Something waits for their own word ([`super::consents::Pending`]).
    pub waits: bool,
}

/// Consent rows, to be asked by any id that a person ever had.
#[derive(Debug, Default)]
pub struct Consents(HashMap<ContactId, Consent>);

impl Consents {
    /// The row that speaks for a contact: its own, or that of the contact it went into. `None`: it is not among these.
    pub fn of(&self, contact: ContactId) -> Option<&Consent> {
        let mut row = self.own(contact)?;
        while let Some(into) = row.merged_into {
            row = self.own(into)?;
        }
        Some(row)
    }

    /// Contacts that some of these went into and whose rows are not here.
    pub fn missing(&self) -> Vec<ContactId> {
        let into = self.0.values().filter_map(|row| row.merged_into);
        into.filter(|id| !self.0.contains_key(id)).collect()
    }

    /// Every row, merged ones too.
    pub fn rows(&self) -> impl Iterator<Item = &Consent> {
        self.0.values()
    }

    fn own(&self, contact: ContactId) -> Option<&Consent> {
        self.0.get(&contact)
    }
}

#[derive(FromRow)]
struct ConsentRow {
    contact: i64,
    opt_out: i64,
    since: i64,
    reopened_at: i64,
    meta_stopped_at: i64,
    marketing_given_at: i64,
    utility_given_at: i64,
    utility_stopped_at: i64,
    topics: i64,
    topics_stopped: i64,
    version: i64,
    merged_into: i64,
    pending: i64,
}

/// Consent of these contacts, their rows locked until the transaction ends (promise 4). Locks are taken in the order
/// of contact ids, whatever the order given, so that two transactions never wait for each other.
///
/// That is why it does not follow merges: a survivor's id may be lower than what is locked by then. Whoever finds
/// [`Consents::missing`] rows rolls back and asks again with them.
pub async fn lock_consent_all_tenants(tx: &mut Tx, contacts: &[ContactId]) -> Result<Consents> {
    consent(tx, contacts, "ORDER BY contact FOR UPDATE").await
}

/// Consent of these contacts and of those they went into, as it stands, unlocked: for a first decision that delivery
/// will take again.
pub async fn read_consent_all_tenants(tx: &mut Tx, contacts: &[ContactId]) -> Result<Consents> {
    let mut found = consent(tx, contacts, "").await?;
    loop {
        let missing = consent(tx, &found.missing(), "").await?;
        if missing.0.is_empty() {
            return Ok(found);
        }
        found.0.extend(missing.0);
    }
}

async fn consent(tx: &mut Tx, contacts: &[ContactId], postgres_tail: &str) -> Result<Consents> {
    let tail = if tx.is_postgres() { postgres_tail } else { "" };
    let head = "SELECT contact, opt_out, since, reopened_at, meta_stopped_at, marketing_given_at, utility_given_at,
            utility_stopped_at, topics, topics_stopped, version, merged_into, pending
        FROM consent WHERE contact IN";
    let ids = batch::sorted(contacts.iter().map(|contact| contact.raw()));
    let mut found = Consents::default();
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of(head, 1, tail);
        let rows: Vec<ConsentRow> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        for row in rows {
            let row = consent_of(row)?;
            found.0.insert(row.contact, row);
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
        marketing_given_at: some(row.marketing_given_at),
        utility_given_at: some(row.utility_given_at),
        utility_stopped_at: some(row.utility_stopped_at),
        topics: row.topics,
        topics_stopped: row.topics_stopped,
    };
    let state = ConsentState::from_parts(parts)
        .ok_or_else(|| StorageError::Corrupt(format!("consent level {}", row.opt_out)))?;
    Ok(Consent {
        contact: ContactId::from_raw(row.contact),
        state,
        version: row.version,
        merged_into: some(row.merged_into).map(ContactId::from_raw),
        waits: row.pending != 0,
    })
}

/// Meta said at `at` that the person stopped this business's marketing in WhatsApp itself (131050, facts §10.2). The
/// latest time stands: a resume from before it lifts nothing.
///
/// It follows merges one row at a time and holds the lock of the last only: a merge that holds a row is waited for,
/// and then leads on; one that comes later finds what was written here. Answers whose row it moved; `None`: it said so
/// already.
pub async fn stop_marketing(
    tx: &mut Tx,
    tenant: TenantId,
    mut contact: ContactId,
    at: Timestamp,
) -> Result<Option<ContactId>> {
    loop {
        let touched = execute!(
            tx,
            sqlx::query(
                "UPDATE consent SET meta_stopped_at = $3, version = version + 1
                 WHERE contact = $1 AND tenant = $2 AND merged_into = 0 AND meta_stopped_at < $3"
            )
            .bind(contact.raw())
            .bind(tenant.raw())
            .bind(at.millis())
        )?;
        let row = consent(tx, &[contact], "").await?;
        let into = row.own(contact).and_then(|row| row.merged_into);
        match into.filter(|_| touched == 0) {
            Some(into) => contact = into,
            None => return Ok((touched > 0).then_some(contact)),
        }
    }
}
