//! Verifying a chain: every sealed entry read again and compared with what was sealed.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::chain::{self, ChainKey, Link};
use super::{LEDGER, commitment, erase, value_hash};
use crate::domain::{AuditId, TenantId};
use crate::storage::audit::{self, AuditEntry, Ledger, SealHead};
use crate::storage::{Db, Result, Tx};

/// Entries read at once.
const STEP: i64 = 500;

pub(crate) const LOST_HEAD: &str =
    "the head that was kept is no place of the chain: its end was cut off, or it was made anew";

/// What is wrong with a place of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub seq: i64,
    /// The id of the row.
    pub entry: Option<String>,
    pub what: &'static str,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    pub entries: u64,
    pub faults: Vec<Fault>,
    /// The end of the chain: kept outside, it shows later whether the end was cut off.
    pub head: SealHead,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A walk along a chain: where it stands and which keyed hash comes before. Every ledger's.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Walk {
    pub seq: i64,
    pub mac: Vec<u8>,
}

/// A verification of the audit log on its way.
pub type Verification = Walk;

impl Walk {
    /// Looks at the next entries of the audit log. Answers how many there were, and what is wrong with them.
    pub async fn step(
        &mut self,
        tx: &mut Tx,
        key: &ChainKey,
        tenant: TenantId,
    ) -> Result<(usize, Vec<Fault>)> {
        let entries = audit::sealed(tx, tenant, self.seq, STEP).await?;
        let silent = erase::erased(tx, tenant, &entries).await?;
        let mut take = |entry: &AuditEntry| {
            let link = Link {
                seq: entry.seq,
                row: entry.id.raw(),
                commitment: &entry.commitment,
            };
            let named = (entry.id.to_string(), content(entry, &silent));
            self.take(key, LEDGER, tenant, link, &entry.mac, named)
        };
        let faults = entries.iter().filter_map(&mut take).collect();
        Ok((entries.len(), faults))
    }

    /// Takes one link. `named`: the row's id, and what is wrong with its content, if anything.
    pub fn take(
        &mut self,
        key: &ChainKey,
        ledger: &str,
        tenant: TenantId,
        link: Link<'_>,
        mac: &[u8],
        named: (String, Option<&'static str>),
    ) -> Option<Fault> {
        let expected = chain::seal(key, ledger, tenant.raw(), &self.mac, link);
        let (row, content) = named;
        let what = if link.seq != self.seq + 1 {
            Some("entries before it are missing, or it has another's place")
        } else if expected != mac {
            Some("its seal does not fit: it, or the entry before it, is not what was sealed")
        } else {
            content
        };
        (self.seq, self.mac) = (link.seq, mac.to_vec());
        what.map(|what| Fault {
            seq: link.seq,
            entry: Some(row),
            what,
        })
    }

    /// Compares the place that was reached with the chain's head, which was read before the first step.
    pub fn end(&self, head: &SealHead) -> Option<Fault> {
        let what = match self.seq.cmp(&head.seq) {
            Ordering::Less => "the end of the chain is missing",
            Ordering::Equal if self.mac != head.mac => "the head is not the end of the chain",
            // What was sealed meanwhile lies beyond the head that was read.
            Ordering::Equal | Ordering::Greater => return None,
        };
        Some(Fault {
            seq: head.seq,
            entry: None,
            what,
        })
    }
}

/// What is wrong with what an entry says, if anything. `silent`: entries whose values went with a person.
fn content(entry: &AuditEntry, silent: &BTreeSet<AuditId>) -> Option<&'static str> {
    let is_silent = silent.contains(&entry.id);
    // Of the first entries nothing can be compared any more once their values are gone: the chain holds their commitment.
    let first = entry.value_hash.is_empty();
    let same = (first && is_silent) || commitment(entry) == entry.commitment;
    if same && entry.salt.is_empty() && !is_silent {
        return Some("what it said is gone, and no entry says that it went with a person");
    }
    let whole = same && (first || is_silent || value_hash(entry) == entry.value_hash);
    (!whole).then_some("its content is not what was sealed")
}

/// A head that was given out earlier and kept elsewhere: is it still a place of the chain? A chain whose end was cut off
/// no longer has it, and nobody without the key can make another that does.
pub async fn holds_head(
    tx: &mut Tx,
    tenant: TenantId,
    ledger: Ledger,
    known: &SealHead,
) -> Result<bool> {
    if known.seq == 0 {
        return Ok(true);
    }
    let found = audit::macs_at(tx, tenant, ledger, known.seq).await?;
    Ok(found == [known.mac.clone()])
}

/// `SEQ:MAC`, as verifications print a head.
pub fn read_head(text: &str) -> Option<SealHead> {
    let (seq, mac) = text.split_once(':')?;
    let head = SealHead {
        seq: seq.parse().ok()?,
        mac: hex::decode(mac).ok()?,
    };
    (head.seq >= 0).then_some(head)
}

/// A head as [`read_head`] reads it.
pub fn write_head(head: &SealHead) -> String {
    format!("{}:{}", head.seq, hex::encode(&head.mac))
}

/// Verifies a whole chain.
pub async fn verify(db: &Db, key: &ChainKey, tenant: TenantId) -> Result<Report> {
    let mut tx = db.read().await?;
    let head = audit::head(&mut tx, tenant, LEDGER).await?;
    let mut report = Report {
        head: head.clone(),
        ..Report::default()
    };
    let mut verification = Verification::default();
    loop {
        let (entries, faults) = verification.step(&mut tx, key, tenant).await?;
        report.entries += entries as u64;
        report.faults.extend(faults);
        if entries < usize::try_from(STEP).unwrap_or(usize::MAX) {
            break;
        }
    }
    report.faults.extend(verification.end(&head));
    Ok(report)
}
