//! Headers, bodies and footers: lengths, variables and their examples (§6.5, §7.4).

use serde_json::Value;

use super::{Findings, TemplateDraft};
use crate::domain::template::{is_position, variables};
use crate::graph::template::{list, part};

const HEADER: usize = 60;
const FOOTER: usize = 60;
/// Meta does not publish its ratio (2388293). A guess that ordinary templates pass: three words for each variable, and
/// fewer than two are refused.
const WORDS_WANTED: usize = 3;
const WORDS_NEEDED: usize = 2;

pub(super) fn body(component: &Value, most: usize, at: &str, findings: &mut Findings) {
    let at = &format!("{at}/text");
    let Some(text) = filled(component, most, at, findings) else {
        return;
    };
    edges(text, at, findings);
    let names = names(text, at, findings);
    ratio(text, names.len(), at, findings);
    if text.contains("\n\n\n") {
        findings.warning(
            "body_blank_lines",
            at,
            "there are two blank lines in a row",
            "leave one blank line between paragraphs",
        );
    }
    examples(component, "body_text", &names, at, findings);
}

pub(super) fn header(component: &Value, at: &str, findings: &mut Findings) {
    match component["format"].as_str().unwrap_or_default() {
        "TEXT" => {
            let at = &format!("{at}/text");
            let Some(text) = filled(component, HEADER, at, findings) else {
                return;
            };
            if text.contains(['*', '_', '~', '\n']) && !text.contains("{{") {
                findings.error(
                    "header_markdown",
                    at,
                    "a header has no *bold*, _italic_, ~struck~ text and no new line",
                    "plain words in one line",
                );
            }
            let names = names(text, at, findings);
            if names.len() > 1 {
                findings.error(
                    "header_variables",
                    at,
                    format!("there are {} variables", names.len()),
                    "at most one variable in a header",
                );
            }
            examples(component, "header_text", &names, at, findings);
        }
        "IMAGE" | "VIDEO" | "DOCUMENT" | "GIF" => {
            let handle = list(&component["example"]["header_handle"]).first();
            if handle.and_then(Value::as_str).is_none_or(str::is_empty) {
                findings.error(
                    "header_sample_missing",
                    &format!("{at}/example"),
                    "a media header needs a sample for the reviewers",
                    "upload a sample (resumable upload) and put its handle into example.header_handle",
                );
            }
        }
        "LOCATION" | "PRODUCT" => {}
        other => findings.error(
            "header_format",
            &format!("{at}/format"),
            format!("`{other}` is no format of a header"),
            "one of TEXT, IMAGE, VIDEO, DOCUMENT, GIF, LOCATION, PRODUCT",
        ),
    }
}

pub(super) fn footer(component: &Value, at: &str, findings: &mut Findings) {
    let at = &format!("{at}/text");
    let Some(text) = filled(component, FOOTER, at, findings) else {
        return;
    };
    if text.contains("{{") {
        findings.error(
            "footer_variable",
            at,
            "a footer takes no variables",
            "move the variable into the body",
        );
    }
}

/// The text, if there is one; and what is wrong with its length.
pub(super) fn filled<'a>(
    component: &'a Value,
    most: usize,
    at: &str,
    findings: &mut Findings,
) -> Option<&'a str> {
    let text = component["text"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        findings.error("text_missing", at, "it has no text", "write the text");
        return None;
    }
    let length = text.chars().count();
    if length > most {
        findings.error(
            "text_too_long",
            at,
            format!("{length} characters where {most} are allowed"),
            "shorten it; what variables are filled with counts when it is sent",
        );
    }
    Some(text)
}

/// No variable at either end, none next to another (2388299, 2388293).
fn edges(text: &str, at: &str, findings: &mut Findings) {
    let sign = |c: char| !c.is_alphanumeric() && c != '{' && c != '}';
    if text.trim_start().starts_with("{{") {
        findings.error(
            "variable_at_start",
            at,
            "it begins with a variable",
            "put words before it: `Hello {{1}}, …`",
        );
    }
    let end = text.trim_end();
    if end.ends_with("}}") {
        findings.error(
            "variable_at_end",
            at,
            "it ends with a variable",
            "put words after it, not only a full stop",
        );
    } else if end.trim_end_matches(sign).ends_with("}}") {
        findings.warning(
            "variable_at_end",
            at,
            "only signs follow its last variable",
            "reviewers want words after it",
        );
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("}}") {
        let between = after.split_once("{{").map(|(between, _)| between);
        if between.is_some_and(|between| !between.chars().any(char::is_alphanumeric)) {
            findings.error(
                "variables_adjacent",
                at,
                "two variables stand next to each other",
                "put words between them, or make one variable of them",
            );
            return;
        }
        rest = after;
    }
}

fn names(text: &str, at: &str, findings: &mut Findings) -> Vec<String> {
    let names = variables(text);
    if text.matches("{{").count() != text.matches("}}").count() {
        findings.error(
            "variable_form",
            at,
            "the braces of a variable are not closed",
            "write every variable as {{1}} or {{first_name}}",
        );
    }
    let fits = |name: &str| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        is_position(name)
            || (name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(allowed))
    };
    if let Some(odd) = names.iter().find(|name| !fits(name)) {
        findings.error(
            "variable_form",
            at,
            format!("`{{{{{odd}}}}}` is no variable"),
            "numbers from 1 on, or names of a-z, 0-9 and _",
        );
    }
    let positions: Vec<usize> = names.iter().filter_map(|name| name.parse().ok()).collect();
    if positions
        .iter()
        .enumerate()
        .any(|(place, n)| *n != place + 1)
    {
        findings.error(
            "variable_numbering",
            at,
            "the numbers of its variables have a gap or do not begin at 1",
            "number them {{1}}, {{2}}, {{3}} … in the order of their first use",
        );
    }
    names
}

fn ratio(text: &str, variables: usize, at: &str, findings: &mut Findings) {
    let words = text
        .split_whitespace()
        .filter(|word| !word.contains("{{") && word.chars().any(char::is_alphanumeric))
        .count();
    let problem = || format!("{words} words for {variables} variables");
    if words < variables * WORDS_NEEDED {
        let mend = "write more of the text out, or use fewer variables";
        findings.error("too_many_variables", at, problem(), mend);
    } else if words < variables * WORDS_WANTED {
        let mend = "three words or more for each variable pass more surely";
        findings.warning("too_many_variables", at, problem(), mend);
    }
}

/// Reviewers see the examples (§6.5): `body_text` is a list of lists, named ones have a list of their own.
fn examples(component: &Value, key: &str, names: &[String], at: &str, findings: &mut Findings) {
    if names.is_empty() {
        return;
    }
    let at = &at.replace("/text", "/example");
    let example = &component["example"];
    let is_blank = |value: &Value| value.as_str().is_none_or(|text| text.trim().is_empty());
    let missing: Vec<&str> = if names.iter().all(|name| is_position(name)) {
        let flat = list(&example[key]);
        let given = match flat.first() {
            Some(Value::Array(first)) => first.as_slice(),
            _ => flat,
        };
        let has = |place: usize| given.get(place).is_some_and(|value| !is_blank(value));
        let all = names.iter().enumerate();
        all.filter(|(place, _)| !has(*place))
            .map(|(_, name)| name.as_str())
            .collect()
    } else {
        let given = list(&example[format!("{key}_named_params")]);
        let has = |name: &str| {
            given
                .iter()
                .any(|one| one["param_name"] == name && !is_blank(&one["example"]))
        };
        names
            .iter()
            .map(String::as_str)
            .filter(|name| !has(name))
            .collect()
    };
    if !missing.is_empty() {
        findings.error(
            "example_missing",
            at,
            format!("no example for {}", missing.join(", ")),
            "an example of real length for every variable: body_text [[\"…\"]], or body_text_named_params [{param_name, example}]",
        );
    }
}

/// Positional or named, as a whole (132012).
pub(super) fn one_style(draft: &TemplateDraft, findings: &mut Findings) {
    let mut all = Vec::new();
    for kind in ["HEADER", "BODY"] {
        let text = part(&draft.components, kind).and_then(|part| part["text"].as_str());
        all.extend(variables(text.unwrap_or_default()));
    }
    let positional = all.iter().filter(|name| is_position(name)).count();
    if positional != 0 && positional != all.len() {
        findings.error(
            "variables_mixed",
            "/components",
            "numbered and named variables are mixed",
            "number all of them or name all of them",
        );
        return;
    }
    let is_named = !all.is_empty() && positional == 0;
    let said = draft.parameter_format.as_deref();
    if (is_named && said != Some("NAMED")) || (positional > 0 && said == Some("NAMED")) {
        findings.error(
            "parameter_format_mismatch",
            "/parameter_format",
            "it does not say what the variables are",
            "NAMED with named variables, POSITIONAL or nothing with numbered ones",
        );
    }
}
