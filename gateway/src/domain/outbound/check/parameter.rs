//! What a template's variables are filled with: never nothing, one line, all of one style (§4.3, §4.4).

use super::super::template::{ParameterFormat, TemplateParameter};
use super::{Checked, Fault, Malformed, count, each, filled, is_blank, longer_than, unique};

/// A body of 1,024 characters has no room for more variables, each `{{n}}` and a space.
const MOST: usize = 170;
const SPACES: usize = 4;
const CODE: usize = 15;

/// Parameters of one part of a template. `most`: what the part may come to, and so any parameter of it.
pub(super) fn all(parameters: &[TemplateParameter], most: usize) -> Checked {
    count("parameters", parameters.len(), 0, MOST)?;
    one_style(parameters)?;
    each("parameters", parameters, |parameter| one(parameter, most))
}

/// All positional, or all named once each.
fn one_style(parameters: &[TemplateParameter]) -> Checked {
    let named = || parameters.iter().filter_map(|p| p.name.as_deref());
    let count = named().count();
    let fits = (count == 0 || count == parameters.len())
        && named().all(is_name)
        && unique("parameters", named()).is_ok();
    if fits {
        return Ok(());
    }
    Err(Malformed::new("parameters", Fault::MixedParameters).cited("§4.4"))
}

/// Digits are marked unverified in §4.4: we let Meta judge them.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !name.is_empty() && name.bytes().all(allowed)
}

pub(super) fn one(parameter: &TemplateParameter, most: usize) -> Checked {
    if is_blank(&parameter.value) && parameter.default.is_none() {
        return Err(Malformed::new("value", Fault::NoValue).cited("§4.4"));
    }
    // A default must be one even while it is not needed.
    if let Some(default) = &parameter.default {
        filled("default", default)?;
        line("default", default, most)?;
    }
    if !is_blank(&parameter.value) {
        line("value", &parameter.value, most)?;
    }
    match &parameter.format {
        ParameterFormat::Currency(currency) if !is_currency(&currency.code) => {
            let form = "a currency's three letters, such as EUR";
            Err(Malformed::new("format.currency.code", Fault::Form(form)).cited("§4.4"))
        }
        _ => Ok(()),
    }
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// Newlines, tabs and runs of more than four spaces make Meta refuse the send (132018).
fn line(field: &str, value: &str, most: usize) -> Checked {
    if longer_than(value, most) {
        return Err(Malformed::new(field, Fault::ParameterTooLong { most }));
    }
    if value.contains(['\n', '\r', '\t', '\0']) || value.contains(&" ".repeat(SPACES + 1)) {
        let form = "one line without tabs and with at most 4 spaces in a row";
        return Err(Malformed::new(field, Fault::ParameterText(form)));
    }
    Ok(())
}

/// Is what is shown a one-time code: short, and no link or emoji? An emoji is whatever is neither a letter or digit of
/// some script nor ASCII.
pub(in super::super) fn is_one_time_code(parameter: &TemplateParameter) -> Checked {
    let shown = parameter.shown();
    let plain = |c: char| c.is_alphanumeric() || c.is_ascii();
    if !longer_than(shown, CODE) && !shown.contains("://") && shown.chars().all(plain) {
        return Ok(());
    }
    let form = "a code of at most 15 characters, without link or emoji";
    Err(Malformed::new("value", Fault::ParameterText(form)))
}
