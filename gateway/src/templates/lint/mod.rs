//! What Meta and its reviewers would say of a template, said before it is submitted (`whatsapp-cloud-api.md` §6.4, §6.5).
//!
//! Pure. Each finding has a stable code, the place in the JSON, and how to mend it. An error is what Graph refuses; a
//! warning is what reviewers reject or re-categorise, or what costs more than its author thinks: a person decides.

mod buttons;
mod form;
mod kinds;
mod text;
mod tone;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::graph::template::part;

/// A template as it is to be submitted, spelled as Graph spells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateDraft {
    pub name: String,
    pub language: String,
    pub category: String,
    /// `POSITIONAL` or `NAMED`; without it, what the variables look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter_format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_send_ttl_seconds: Option<i64>,
    pub components: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong, or may be taken amiss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable.
    pub code: String,
    pub severity: Severity,
    /// JSON Pointer into the template.
    pub at: String,
    pub problem: String,
    /// How to mend it.
    pub mend: String,
}

/// What there is to say, in the order of the template.
pub fn lint(draft: &TemplateDraft) -> Vec<Finding> {
    let mut findings = Findings::default();
    form::check(draft, &mut findings);
    if part(&draft.components, "BODY").is_none() {
        findings.error(
            "body_missing",
            "/components",
            "there is no BODY",
            "add a component of type BODY with the text",
        );
        return findings.0;
    }
    for (place, component) in draft.components.iter().enumerate() {
        let at = format!("/components/{place}");
        match component["type"].as_str().unwrap_or_default() {
            "HEADER" => text::header(component, &at, &mut findings),
            "BODY" if draft.category == "AUTHENTICATION" => {}
            "BODY" => {
                let most = if has_offer(draft) { 600 } else { 1024 };
                text::body(component, most, &at, &mut findings);
            }
            "FOOTER" if draft.category != "AUTHENTICATION" => {
                text::footer(component, &at, &mut findings);
            }
            "BUTTONS" => buttons::check(component, &at, &mut findings),
            "CAROUSEL" => kinds::carousel(component, &at, &mut findings),
            "LIMITED_TIME_OFFER" => kinds::offer(draft, component, &at, &mut findings),
            "FOOTER" => {}
            _ => findings.error(
                "component_unknown",
                &at,
                "its type is none of HEADER, BODY, FOOTER, BUTTONS, CAROUSEL, LIMITED_TIME_OFFER",
                "spell the type in capitals, or leave the component out",
            ),
        }
    }
    kinds::repeated(draft, &mut findings);
    text::one_style(draft, &mut findings);
    match draft.category.as_str() {
        "AUTHENTICATION" => kinds::authentication(draft, &mut findings),
        "UTILITY" => tone::utility(draft, &mut findings),
        "MARKETING" => tone::marketing(draft, &mut findings),
        _ => {}
    }
    findings.0
}

/// Would Graph refuse it?
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|one| one.severity == Severity::Error)
}

fn has_offer(draft: &TemplateDraft) -> bool {
    part(&draft.components, "LIMITED_TIME_OFFER").is_some()
}

impl TemplateDraft {
    /// Graph's body of a creation (§6.5).
    pub fn body(&self) -> Value {
        json!(self)
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, code: &str, at: &str, problem: impl Into<String>, mend: &str) {
        self.push(code, Severity::Error, at, problem.into(), mend);
    }

    fn warning(&mut self, code: &str, at: &str, problem: impl Into<String>, mend: &str) {
        self.push(code, Severity::Warning, at, problem.into(), mend);
    }

    fn push(&mut self, code: &str, severity: Severity, at: &str, problem: String, mend: &str) {
        self.0.push(Finding {
            code: code.to_owned(),
            severity,
            at: at.to_owned(),
            problem,
            mend: mend.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
