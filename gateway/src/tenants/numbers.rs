//! Business phone numbers: what an operator says of one, and what is assumed otherwise.

use serde_json::{Value, json};

use super::error::{check_meta_id, check_text};
use super::{Expected, Result, SetupContext, SetupError, find, revision};
use crate::domain::number::Number;
use crate::domain::{NumberId, TenantId};
use crate::storage::former_numbers::{self, FormerNumber};
use crate::storage::{changes, numbers};

/// A new number as the operator gives it.
#[derive(Debug, Clone)]
pub struct NewNumber {
    /// Name or id.
    pub tenant: String,
    /// Meta's id or name; `None`: the default app.
    pub app: Option<String>,
    /// Name or id, of the same tenant.
    pub credential: String,
    /// The scope of its customers' BSUIDs; `None`: the WABA, which every number of it shares.
    pub portfolio: Option<String>,
    pub waba_id: String,
    pub phone_number_id: String,
    pub display_number: String,
    pub time_zone: String,
    /// Messages a second (facts §6.7).
    pub throughput: i64,
}

/// Adds a number; it works as soon as running nodes have noticed.
pub async fn add(setup: &SetupContext, new: &NewNumber) -> Result<Number> {
    check(new)?;
    let mut tx = setup.db.begin().await?;
    // Whoever takes its app or credential away at the same time waits, and then finds the number.
    changes::bump_setup_all_tenants(&mut tx).await?;
    let tenant = find::tenant(&mut tx, &new.tenant).await?;
    let known = former_numbers::take_back(&mut tx, tenant, &new.phone_number_id).await?;
    let number = Number {
        // One that comes back has its conversations again.
        id: known.unwrap_or_else(|| NumberId::from_raw(setup.next_id())),
        tenant,
        app: find::app(&mut tx, new.app.as_deref()).await?.id,
        credential: find::credential(&mut tx, tenant, &new.credential).await?,
        portfolio: new.portfolio.clone().unwrap_or_else(|| new.waba_id.clone()),
        waba_id: new.waba_id.clone(),
        phone_number_id: new.phone_number_id.clone(),
        display_number: new.display_number.clone(),
        time_zone: new.time_zone.clone(),
        throughput: new.throughput,
        connected_at: setup.clock.now(),
    };
    if !numbers::insert_number(&mut tx, tenant, &number).await? {
        return Err(SetupError::taken("number", &new.phone_number_id));
    }
    let became = Some(shown(&number));
    setup
        .record(&mut tx, tenant, "number.create", number.id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(number)
}

/// What is to be changed; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct NumberChange {
    /// Name or id, of the same tenant.
    pub credential: Option<String>,
    pub display_number: Option<String>,
    pub time_zone: Option<String>,
    pub throughput: Option<i64>,
}

/// Changes a number that is still as the caller has read it.
pub async fn update(
    setup: &SetupContext,
    tenant: TenantId,
    id: NumberId,
    change: NumberChange,
    expected: &Expected,
) -> Result<Number> {
    let mut tx = setup.db.begin().await?;
    // Whoever changes setup at the same time waits for the row that counts changes of setup.
    changes::bump_setup_all_tenants(&mut tx).await?;
    let old = numbers::number(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| SetupError::not_found("number", &id.to_string()))?;
    expected.check(&revision_of(&old))?;
    let was = Some(shown(&old));
    let number = Number {
        credential: match &change.credential {
            Some(name) => find::credential(&mut tx, tenant, name).await?,
            None => old.credential,
        },
        display_number: change.display_number.unwrap_or(old.display_number),
        time_zone: change.time_zone.unwrap_or(old.time_zone),
        throughput: change.throughput.unwrap_or(old.throughput),
        ..old
    };
    check_changeable(&number.display_number, &number.time_zone, number.throughput)?;
    numbers::update_number(&mut tx, tenant, &number).await?;
    let became = Some(shown(&number));
    setup
        .record(&mut tx, tenant, "number.update", id, was, became)
        .await?;
    setup.commit(tx).await?;
    Ok(number)
}

/// A tenant's number that was taken away.
pub async fn find_former(
    setup: &SetupContext,
    tenant: TenantId,
    id: NumberId,
) -> Result<Option<FormerNumber>> {
    let mut tx = setup.db.read().await?;
    Ok(former_numbers::find(&mut tx, tenant, id).await?)
}

/// A tenant's number.
pub async fn find_one(setup: &SetupContext, tenant: TenantId, id: NumberId) -> Result<Number> {
    let mut tx = setup.db.read().await?;
    numbers::number(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| SetupError::not_found("number", &id.to_string()))
}

/// A number by Meta's id, our id or as it is displayed.
pub async fn find_named(setup: &SetupContext, tenant: TenantId, name: &str) -> Result<Number> {
    let mut tx = setup.db.read().await?;
    find::number(&mut tx, tenant, name).await
}

/// A tenant's numbers after an id, oldest first.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Number>> {
    let mut tx = setup.db.read().await?;
    Ok(numbers::numbers_of(&mut tx, tenant, after, most).await?)
}

/// By which an editor says what they have read.
pub fn revision_of(number: &Number) -> String {
    revision(&shown(number))
}

fn shown(number: &Number) -> Value {
    json!(number)
}

fn check(new: &NewNumber) -> Result<()> {
    check_meta_id("the phone-number id", &new.phone_number_id)?;
    check_meta_id("the WABA id", &new.waba_id)?;
    if let Some(portfolio) = &new.portfolio {
        check_text("the portfolio", portfolio, 64)?;
    }
    check_changeable(&new.display_number, &new.time_zone, new.throughput)
}

fn check_changeable(display_number: &str, time_zone: &str, throughput: i64) -> Result<()> {
    let digits = display_number.bytes().filter(u8::is_ascii_digit).count();
    if !display_number.starts_with('+') || !(5..=15).contains(&digits) {
        let problem = "must be written internationally, like +49 151 12345678";
        return Err(SetupError::invalid("the display number", problem));
    }
    if jiff::tz::TimeZone::get(time_zone).is_err() {
        let problem = "must be an IANA name, like Europe/Berlin";
        return Err(SetupError::invalid("the time zone", problem));
    }
    if !(1..=1_000).contains(&throughput) {
        let problem = "must be 1 to 1,000 messages a second";
        return Err(SetupError::invalid("the throughput", problem));
    }
    Ok(())
}
