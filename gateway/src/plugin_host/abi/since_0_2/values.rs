//! Typed values, moments and refusals between the contract's words and ours; and what each of them carries.

use std::collections::BTreeMap;

use super::bindings::vestibule::plugin::refusal::EffectError;
use super::bindings::vestibule::plugin::types::{Day, Field};
use super::words::{meant, shown};
use crate::domain::Timestamp;
use crate::domain::attribute::{self, AttributeValue, Fields, Finite};
use crate::plugin_host::abi::charge::{Carried, Element};
use crate::plugin_host::effect::EffectRefused;

/// A moment as guests see it; none is before 1970.
pub(super) fn moment(at: Timestamp) -> u64 {
    u64::try_from(at.millis()).unwrap_or(0)
}

/// A guest's moment. What is too far away for us is as far as we can tell.
pub(super) fn timestamp(moment: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(moment).unwrap_or(i64::MAX))
}

pub(super) fn shown_fields(fields: &Fields) -> Vec<Field> {
    let field = |(name, value): (&String, &AttributeValue)| Field {
        name: name.clone(),
        value: shown(value),
    };
    fields.iter().map(field).collect()
}

pub(in crate::plugin_host::abi) fn shown_day(day: attribute::Day) -> Day {
    let (year, month, day) = day.parts();
    Day { year, month, day }
}

pub(in crate::plugin_host::abi) fn meant_number(number: f64) -> Result<Finite, String> {
    Finite::try_from(number).map_err(|wanted| format!("value: not {wanted}"))
}

pub(in crate::plugin_host::abi) fn meant_day(day: Day) -> Result<attribute::Day, String> {
    let Day { year, month, day } = day;
    attribute::Day::new(year, month, day)
        .ok_or_else(|| format!("value: there is no day {year}-{month}-{day}"))
}

pub(super) fn meant_fields(fields: Vec<Field>) -> Result<Fields, String> {
    let mut all = BTreeMap::new();
    for Field { name, value } in fields {
        let value = meant(value)?;
        if let Some(_twice) = all.insert(name.clone(), value) {
            return Err(format!("fields: `{}` twice", name.escape_debug()));
        }
    }
    Ok(all)
}

impl From<EffectRefused> for EffectError {
    fn from(refused: EffectRefused) -> Self {
        match refused {
            EffectRefused::Invalid(what) => Self::Invalid(what),
            EffectRefused::Quota(what) => Self::Quota(what),
            EffectRefused::Denied(what) => Self::Denied(what),
        }
    }
}

impl Element for Field {}

impl Carried for Field {
    fn carried(&self) -> usize {
        self.name.len() + self.value.carried()
    }
}
