//! Business phone numbers: what an operator says of one, and what is assumed otherwise.

use super::error::{check_meta_id, check_text};
use super::{Result, SetupContext, SetupError, find};
use crate::domain::NumberId;
use crate::domain::number::Number;
use crate::storage::numbers;

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
    let tenant = find::tenant(&mut tx, &new.tenant).await?;
    let number = Number {
        id: NumberId::from_raw(setup.next_id()),
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
    tx.commit().await?;
    Ok(number)
}

fn check(new: &NewNumber) -> Result<()> {
    check_meta_id("the phone-number id", &new.phone_number_id)?;
    check_meta_id("the WABA id", &new.waba_id)?;
    if let Some(portfolio) = &new.portfolio {
        check_text("the portfolio", portfolio, 64)?;
    }
    let digits = new
        .display_number
        .bytes()
        .filter(u8::is_ascii_digit)
        .count();
    if !new.display_number.starts_with('+') || !(5..=15).contains(&digits) {
        let problem = "must be written internationally, like +49 151 12345678";
        return Err(SetupError::invalid("the display number", problem));
    }
    if jiff::tz::TimeZone::get(&new.time_zone).is_err() {
        let problem = "must be an IANA name, like Europe/Berlin";
        return Err(SetupError::invalid("the time zone", problem));
    }
    if !(1..=1_000).contains(&new.throughput) {
        let problem = "must be 1 to 1,000 messages a second";
        return Err(SetupError::invalid("the throughput", problem));
    }
    Ok(())
}
