//! What a validator's tree of errors says, as a list of problems that a tenant can act on.

use std::collections::BTreeSet;

use boon::{ErrorKind, ValidationError};

use super::SettingsProblem;

/// Problems that are told. More help nobody, and a list for each of a hundred thousand items would.
const MOST: usize = 50;
/// Characters of one problem: values stand in some.
const CHARS: usize = 300;

/// All problems of a failed validation, each once.
pub(super) fn of(error: &ValidationError<'_, '_>) -> Vec<SettingsProblem> {
    let mut found = BTreeSet::new();
    collect(error, &mut found);
    if found.len() > MOST {
        found.pop_last();
        let mut told: Vec<_> = found.into_iter().collect();
        told.push(problem("", "and more"));
        return told;
    }
    found.into_iter().collect()
}

/// A reference that leads to itself without looking at anything: the schema's fault, not the settings'.
pub(super) fn has_cycle(error: &ValidationError<'_, '_>) -> bool {
    matches!(error.kind, ErrorKind::RefCycle { .. }) || error.causes.iter().any(has_cycle)
}

pub(super) fn problem(pointer: &str, text: &str) -> SettingsProblem {
    let text = match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    SettingsProblem {
        pointer: pointer.to_owned(),
        problem: text,
    }
}

fn collect(error: &ValidationError<'_, '_>, found: &mut BTreeSet<SettingsProblem>) {
    if found.len() > MOST {
        return;
    }
    let at = error.instance_location.to_string();
    match &error.kind {
        ErrorKind::AdditionalProperties { got } => {
            let places = got.iter().map(|name| child(&at, name));
            found.extend(places.map(|place| problem(&place, "there is no such setting")));
        }
        ErrorKind::AnyOf | ErrorKind::OneOf(None) if !error.causes.is_empty() => {
            found.insert(problem(&at, &alternatives(error, &at)));
        }
        ErrorKind::PropertyName { prop } => {
            let why = error.causes.iter().map(|cause| words(cause, &at));
            let why = why.collect::<Vec<_>>().join(", ");
            let text = format!("must not have this name: {why}");
            found.insert(problem(&child(&at, prop), &text));
        }
        // The causes say why no item is the one that is looked for: one line for each of them.
        ErrorKind::Contains | ErrorKind::MinContains { .. } => {
            found.insert(problem(&at, &error.kind.to_string()));
        }
        _ if error.causes.is_empty() => {
            found.insert(problem(&at, &text(&error.kind)));
        }
        _ => error.causes.iter().for_each(|cause| collect(cause, found)),
    }
}

/// Why each alternative does not fit, in one line.
fn alternatives(error: &ValidationError<'_, '_>, at: &str) -> String {
    let causes = error.causes.iter().take(8);
    let why: Vec<_> = causes.map(|cause| words(cause, at)).collect();
    format!("fits none of the alternatives: {}", why.join("; or "))
}

/// An error with everything below it, seen from the place `from`.
fn words(error: &ValidationError<'_, '_>, from: &str) -> String {
    let mut found = BTreeSet::new();
    collect(error, &mut found);
    let part = |found: SettingsProblem| {
        let below = found.pointer.strip_prefix(from).unwrap_or(&found.pointer);
        match below {
            "" => found.problem,
            below => format!("{below}: {}", found.problem),
        }
    };
    found.into_iter().map(part).collect::<Vec<_>>().join(", ")
}

/// The commonest kinds in words of ours; the others in the validator's.
fn text(kind: &ErrorKind<'_, '_>) -> String {
    match kind {
        ErrorKind::Required { want } => format!("lacks `{}`", want.join("`, `")),
        ErrorKind::FalseSchema => "must not be there".to_owned(),
        ErrorKind::Type { got, want } => {
            let want: Vec<_> = want.iter().map(|want| want.to_string()).collect();
            format!("must be {}, not {got}", want.join(" or "))
        }
        ErrorKind::MinLength { got, want } => {
            format!("must have at least {want} characters, not {got}")
        }
        ErrorKind::MaxLength { got, want } => {
            format!("must have at most {want} characters, not {got}")
        }
        ErrorKind::MinItems { got, want } => format!("must have at least {want} items, not {got}"),
        ErrorKind::MaxItems { got, want } => format!("must have at most {want} items, not {got}"),
        ErrorKind::UniqueItems { got: [one, other] } => {
            format!("items {one} and {other} are the same")
        }
        other => other.to_string(),
    }
}

/// The pointer of a member.
pub(super) fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}
