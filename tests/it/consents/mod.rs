//! Consent with its evidence, on both databases: the sealed ledger, double opt-in, imports that are cut, people who are
//! erased and come back; and the same over the API.

mod api;
mod blocks;
mod erased;
mod files;
pub(crate) mod imports;
mod ledger;
mod opt_in;
mod pages;
mod races;

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::audit;
use vestibule::consent::tell::{Kept, Shown, Told, tell};
use vestibule::consent::{self, Report};
use vestibule::domain::{ConsentChannel, ConsentScope, ConsentStatus, ContactId, TenantId};
use vestibule::policy::ConsentState;
use vestibule::storage::people;
use vestibule_tests::TestDatabase;

use crate::ingest::desk::Desk;

/// The shop, whose number the desk hears.
pub(crate) async fn shop(database: &TestDatabase) -> TenantId {
    let ids = database
        .texts("SELECT CAST(id AS TEXT) FROM tenant WHERE name = 'shop'")
        .await;
    TenantId::from_raw(ids[0].parse().expect("an id"))
}

/// The only contact that there is.
async fn contact(database: &TestDatabase) -> ContactId {
    let ids = database
        .texts("SELECT CAST(id AS TEXT) FROM contact ORDER BY id")
        .await;
    assert_eq!(ids.len(), 1, "one contact");
    ContactId::from_raw(ids[0].parse().expect("an id"))
}

async fn state(desk: &Desk, contact: ContactId) -> ConsentState {
    let mut tx = desk.db.read().await.expect("a transaction");
    let rows = people::read_consent_all_tenants(&mut tx, &[contact]).await;
    rows.expect("consent").of(contact).expect("a row").state
}

/// `scope status channel`, in the order of recording.
async fn records(database: &TestDatabase) -> Vec<String> {
    database
        .texts("SELECT scope || ' ' || status || ' ' || channel FROM consent_record ORDER BY id")
        .await
}

async fn verified(desk: &Desk, tenant: TenantId) -> Report {
    let key = desk.setup.keyring.chain_key();
    audit::seal_all(&desk.db, &key).await.expect("sealed");
    let report = consent::verify(&desk.db, &key, tenant).await;
    report.expect("a report")
}

/// What is wrong, each once.
fn faults(report: &Report) -> BTreeSet<&'static str> {
    report.faults.iter().map(|fault| fault.what).collect()
}

fn told(scope: &str, status: ConsentStatus, channel: ConsentChannel) -> Told {
    Told {
        scope: scope.parse::<ConsentScope>().expect("a scope"),
        status,
        channel,
        at: None,
        wording: Some(Shown {
            text: "Yes, the shop may write to me.".to_owned(),
            version: "7".to_owned(),
            language: "en".to_owned(),
        }),
        source: "https://shop.example/join".to_owned(),
        address: "203.0.113.9".to_owned(),
        proof: serde_json::json!({"form": "f-1"}),
    }
}

async fn say(desk: &Desk, tenant: TenantId, contact: ContactId, told: &Told) -> Kept {
    let kept = tell(&desk.setup, tenant, contact, told).await;
    kept.expect("a database").expect("no problem")
}

fn at_most(value: &Value, most: i64) -> bool {
    value.as_i64().is_some_and(|value| value <= most)
}
