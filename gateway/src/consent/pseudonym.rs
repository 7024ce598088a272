//! People who were erased and come back: what they had stopped holds, though nobody can tell any more who they were.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::record::{self, Evidence};
use crate::domain::{ConsentChannel, ContactId, TenantId, Timestamp};
use crate::storage::people::{self, Consent, IdentityKey};
use crate::storage::{Result, Tx, person};

/// Turns what somebody is known by into a pseudonym that nobody can turn back without the key.
#[derive(Clone)]
pub struct Pseudonyms(zeroize::Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// `key`: [`Keyring::pseudonym_key`](crate::secrets::Keyring::pseudonym_key).
    pub fn new(key: zeroize::Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    pub fn of(&self, key: &IdentityKey) -> Vec<u8> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0[..])
            .expect("HMAC takes keys of any length");
        mac.update(&key.tenant.raw().to_be_bytes());
        mac.update(&(key.kind as i64).to_be_bytes());
        for text in [&key.scope, &key.value] {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac.finalize().into_bytes().to_vec()
    }
}

/// Gives contacts that were made in this transaction what the erased people behind their identities had stopped.
pub async fn restore(
    tx: &mut Tx,
    pseudonyms: &Pseudonyms,
    made: &[(IdentityKey, ContactId)],
    now: Timestamp,
    mut next_id: impl FnMut() -> i64,
) -> Result<()> {
    let whose: Vec<(TenantId, Vec<u8>)> = made
        .iter()
        .map(|(key, _)| (key.tenant, pseudonyms.of(key)))
        .collect();
    for (found, stops) in person::stops_of_all_tenants(tx, &whose).await? {
        let known = whose.iter().zip(made).find(|(whose, _)| **whose == found);
        if let Some((_, (_, contact))) = known {
            give(tx, found.0, *contact, &stops, now, &mut next_id).await?;
        }
    }
    Ok(())
}

async fn give(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    stops: &crate::policy::ConsentState,
    now: Timestamp,
    next_id: &mut impl FnMut() -> i64,
) -> Result<()> {
    let rows = people::lock_consent_all_tenants(tx, &[contact]).await?;
    let Some(row) = rows.of(contact).copied() else {
        return Ok(());
    };
    let state = row.state.joined(stops);
    people::set_consent(tx, tenant, &Consent { state, ..row }).await?;
    let evidence = Evidence {
        proof: serde_json::json!({"stopped_before_an_erasure": true}),
        ..Evidence::default()
    };
    let how = (ConsentChannel::Identity, now);
    let whose = (tenant, contact);
    let statements = record::changes(whose, (&row.state, &state), |_| None, how, &evidence);
    record::append(tx, &statements, now, next_id).await
}
