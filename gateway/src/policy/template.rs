//! The part of rule 4 that concerns templates: approved, and parameters that Meta would accept (§4.3, §4.4).

use std::collections::HashSet;

use crate::domain::DraftClass;
use crate::domain::outbound::TemplateParameter;

use super::decide::Refusal;
use super::facts::{TemplateCategory, TemplateFact};
use super::reason::Reason;
use super::shape::{filled, longer_than};

/// A template's body, and so any parameter of it.
const BODY_LIMIT: usize = 1024;
const CODE_LIMIT: usize = 15;
const SPACES_LIMIT: usize = 4;

pub(super) fn fits(
    fact: TemplateFact,
    claimed: DraftClass,
    name: &str,
    language: &str,
    parameters: &[TemplateParameter],
) -> Result<(), Refusal> {
    filled("a template name", name)?;
    filled("a template language", language)?;
    is_the_one(fact, parameters.len())?;
    names(parameters)?;
    let code = is_code(fact, claimed);
    parameters
        .iter()
        .try_for_each(|parameter| value(&parameter.value, code))
}

fn is_the_one(fact: TemplateFact, given: usize) -> Result<(), Refusal> {
    match fact {
        TemplateFact::Known {
            approved: false, ..
        } => Err(Refusal::new(Reason::TemplateNotApproved)
            .allowing("a template that is approved in this very language")),
        TemplateFact::Known {
            parameter_count, ..
        } if parameter_count != given => Err(Refusal::new(Reason::TemplateParameterCount)
            .allowing(format!("{parameter_count} parameters"))),
        _ => Ok(()),
    }
}

/// All positional, or all named once each.
fn names(parameters: &[TemplateParameter]) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let named: Vec<_> = parameters
        .iter()
        .filter_map(|p| p.name.as_deref())
        .collect();
    let one_style = named.is_empty() || named.len() == parameters.len();
    if one_style && named.iter().all(|name| is_name(name) && seen.insert(name)) {
        return Ok(());
    }
    Err(Refusal::new(Reason::TemplateParameterMix).allowing(
        "parameters that are all positional, or all named by different names in a-z, 0-9 and _",
    ))
}

/// Digits are marked unverified in §4.4: we let Meta judge them.
fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !name.is_empty() && name.bytes().all(allowed)
}

fn value(value: &str, code: bool) -> Result<(), Refusal> {
    filled("a template parameter", value)?;
    if longer_than(value, BODY_LIMIT) {
        return Err(Refusal::new(Reason::TemplateParameterTooLong)
            .allowing(format!("a parameter of at most {BODY_LIMIT} characters")));
    }
    if value.contains(['\n', '\r', '\t']) || value.contains(&" ".repeat(SPACES_LIMIT + 1)) {
        return Err(
            Refusal::new(Reason::TemplateParameterText).allowing(format!(
                "one line without tabs and with at most {SPACES_LIMIT} spaces in a row"
            )),
        );
    }
    if code && !is_one_time_code(value) {
        return Err(
            Refusal::new(Reason::TemplateParameterText).allowing(format!(
                "a code of at most {CODE_LIMIT} characters, without link or emoji"
            )),
        );
    }
    Ok(())
}

/// Is its parameter a one-time code: by Meta's category where it is known, else by what the sender claims?
fn is_code(fact: TemplateFact, claimed: DraftClass) -> bool {
    match fact {
        TemplateFact::Known { category, .. } => category == TemplateCategory::Authentication,
        _ => claimed == DraftClass::Authentication,
    }
}

/// Short, and no link or emoji (§4.3). An emoji is whatever is neither a letter or digit of some script nor ASCII.
fn is_one_time_code(value: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c.is_ascii();
    !longer_than(value, CODE_LIMIT) && !value.contains("://") && value.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::OutboundContent;
    use crate::policy::decide;
    use crate::policy::fixture::{code_of, facts, now, template};

    fn verdict(
        fact: TemplateFact,
        class: DraftClass,
        parameters: &[(Option<&str>, &str)],
    ) -> &'static str {
        let mut facts = facts();
        facts.template = fact;
        let mut draft = template("order_update", "en");
        draft.class = class;
        draft.content = OutboundContent::Template {
            name: "order_update".into(),
            language: "en".into(),
            parameters: parameters
                .iter()
                .map(|(name, value)| TemplateParameter {
                    name: name.map(Into::into),
                    value: (*value).into(),
                })
                .collect(),
        };
        code_of(&decide(&facts, &draft, now()))
    }

    fn unknown(parameters: &[(Option<&str>, &str)]) -> &'static str {
        verdict(TemplateFact::Unknown, DraftClass::Utility, parameters)
    }

    fn known(approved: bool, parameter_count: usize) -> TemplateFact {
        TemplateFact::Known {
            approved,
            category: TemplateCategory::Utility,
            parameter_count,
        }
    }

    #[test]
    fn a_known_template_must_be_approved_and_get_its_parameters() {
        let utility = DraftClass::Utility;
        let one = [(None, "Ines")];
        assert_eq!(verdict(known(true, 1), utility, &one), "cleared");
        assert_eq!(
            verdict(known(true, 2), utility, &one),
            "template_parameter_count"
        );
        assert_eq!(
            verdict(known(false, 1), utility, &one),
            "template_not_approved"
        );
    }

    #[test]
    fn an_unknown_template_passes_and_meta_judges() {
        assert_eq!(unknown(&[]), "cleared");
        assert_eq!(unknown(&[(None, "Ines"), (None, "10:30")]), "cleared");
        assert_eq!(
            unknown(&[(Some("first_name"), "Ines"), (Some("eta_2"), "10:30")]),
            "cleared"
        );
    }

    #[test]
    fn parameters_are_of_one_style_and_named_once() {
        let mix = "template_parameter_mix";
        assert_eq!(unknown(&[(Some("a"), "x"), (None, "y")]), mix);
        assert_eq!(unknown(&[(Some("a"), "x"), (Some("a"), "y")]), mix);
        assert_eq!(unknown(&[(Some("First Name"), "x")]), mix);
        assert_eq!(unknown(&[(Some(""), "x")]), mix);
    }

    #[test]
    fn a_parameter_is_one_line_with_few_spaces() {
        let text = "template_parameter_text";
        for bad in ["a\nb", "a\tb", "a\rb", "a     b"] {
            assert_eq!(unknown(&[(None, bad)]), text, "{bad:?}");
        }
        assert_eq!(unknown(&[(None, "a    b")]), "cleared");
        assert_eq!(unknown(&[(None, "")]), "content_empty");
        assert_eq!(unknown(&[(None, &"é".repeat(1024))]), "cleared");
        assert_eq!(
            unknown(&[(None, &"é".repeat(1025))]),
            "template_parameter_too_long"
        );
    }

    #[test]
    fn a_one_time_code_is_short_and_plain() {
        let code = |value| {
            verdict(
                TemplateFact::Unknown,
                DraftClass::Authentication,
                &[(None, value)],
            )
        };
        assert_eq!(code("493-118"), "cleared");
        for bad in ["1234567890123456", "http://a.b", "12🙂34"] {
            assert_eq!(code(bad), "template_parameter_text", "{bad}");
        }
    }
}
