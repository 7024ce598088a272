//! `vestibule permission`: what a number may send to a person now, one row for each form.

use std::collections::BTreeMap;

use super::answer::{Answer, record};
use super::error::AdminError;
use crate::contacts;
use crate::desk::permission::{ask, between};
use crate::directory::{Directory, NumberEntry};
use crate::domain::{ContactId, Phone, TenantId};
use crate::policy::{FormPermission, Verdict};
use crate::storage::contacts::Filter;
use crate::tenants::{SetupContext, SetupError, find_tenant};

/// `number`: our id, Meta's, or as it is displayed. `person`: a contact's id or a phone.
pub(super) async fn permission(
    setup: &SetupContext,
    tenant: &str,
    number: &str,
    person: &str,
) -> Result<Answer, AdminError> {
    let failed = |error: &dyn std::error::Error| AdminError::failed(error);
    let tenant = find_tenant(setup, tenant).await?.id;
    let directory = Directory::load(setup.db.clone(), setup.keyring.clone()).await?;
    let snapshot = directory.snapshot();
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let named = |entry: &&NumberEntry| {
        let known = &entry.number;
        known.id.to_string() == number
            || known.phone_number_id == number
            || digits(&known.display_number) == digits(number)
    };
    let own = snapshot.numbers().map(AsRef::as_ref);
    let entry = own
        .filter(|entry: &&NumberEntry| entry.number.tenant == tenant)
        .find(named)
        .ok_or_else(|| missing("number", number))?;
    let contact = contact(setup, tenant, person).await?;
    let mut tx = setup.db.read().await.map_err(|error| failed(&error))?;
    let row = between(&mut tx, tenant, entry.number.id, contact).await;
    let row = row.map_err(|error| failed(&error))?;
    let row = row.ok_or_else(|| missing("contact", person))?;
    let found = ask(&mut tx, entry, &row, setup.clock.now()).await;
    let found = found.map_err(|error| failed(&error))?;
    Ok(Answer::List(found.forms.iter().map(shown).collect()))
}

async fn contact(
    setup: &SetupContext,
    tenant: TenantId,
    person: &str,
) -> Result<ContactId, AdminError> {
    if let Ok(id) = person.parse() {
        return Ok(id);
    }
    let phone = Phone::parse(person).ok_or_else(|| missing("contact", person))?;
    let filter = Filter {
        phone: phone.digits().to_owned(),
        ..Filter::default()
    };
    let found = contacts::page(setup, tenant, &filter, 0, 1).await?;
    let found = found.first().map(|contact| contact.id);
    found.ok_or_else(|| missing("contact", person))
}

fn missing(what: &'static str, name: &str) -> AdminError {
    let name = name.to_owned();
    SetupError::NotFound { what, name }.into()
}

fn shown(one: &FormPermission) -> BTreeMap<String, serde_json::Value> {
    let (verdict, until, reason, needed) = match &one.verdict {
        Verdict::Allowed { until } => ("allowed", *until, None, None),
        Verdict::Later { from, reason } => ("later", Some(*from), Some(*reason), None),
        Verdict::Refused {
            reason,
            needed,
            from,
        } => ("refused", *from, Some(*reason), needed.clone()),
    };
    record! {
        "form" => one.form.word(),
        "verdict" => verdict,
        "until_or_from" => until.map(|at| at.to_string()),
        "reason" => reason.map(|reason| reason.code()),
        "needed" => needed,
        "price" => one.price.word(),
    }
}
