//! The schema itself: is it one, does everything that it refers to stand in it, do its defaults fit it?

use boon::{CompileError, Compiler, SchemaIndex, Schemas, UrlLoader};
use serde_json::Value;

use super::SettingsProblem;
use super::problems::{child, has_cycle, of, problem};

/// What a schema is called while it is checked: an address that leads nowhere.
const HERE: &str = "json-schema:///config";

/// A schema that can judge.
pub(super) struct Checked {
    schemas: Schemas,
    root: SchemaIndex,
}

/// Whose mistake it is that settings do not fit.
#[derive(Debug)]
pub(super) enum Misfit {
    Settings(Vec<SettingsProblem>),
    Schema(Vec<SettingsProblem>),
}

/// Everything that is not in the manifest is refused, whatever its address.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, _: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err("nothing is fetched".into())
    }
}

impl Checked {
    pub(super) fn new(schema: &Value) -> Result<Self, Vec<SettingsProblem>> {
        let mut compiler = Compiler::new();
        compiler.use_loader(Box::new(Nowhere));
        // An author who writes `"format": "email"` expects it to mean something.
        compiler.enable_format_assertions();
        let refused = |error: CompileError| problems_of(&error, schema);
        compiler
            .add_resource(HERE, schema.clone())
            .map_err(refused)?;
        let mut schemas = Schemas::new();
        let root = compiler.compile(HERE, &mut schemas).map_err(refused)?;
        check_defaults(schema, &mut compiler, &mut schemas)?;
        Ok(Self { schemas, root })
    }

    pub(super) fn judge(&self, settings: &Value) -> Result<(), Misfit> {
        let judged = self.schemas.validate(settings, self.root);
        judged.map_err(|error| match has_cycle(&error) {
            true => Misfit::Schema(of(&error)),
            false => Misfit::Settings(of(&error)),
        })
    }
}

/// Each default fits the schema that it stands in; who leaves a setting out is not told of a mistake of the author's.
fn check_defaults(
    schema: &Value,
    compiler: &mut Compiler,
    schemas: &mut Schemas,
) -> Result<(), Vec<SettingsProblem>> {
    let mut wrong = Vec::new();
    for (pointer, part) in parts(schema) {
        let Some(default) = part.get("default") else {
            continue;
        };
        let index = compiler
            .compile(&format!("{HERE}#{}", in_url(&pointer)), schemas)
            .map_err(|error| problems_of(&error, schema))?;
        if let Err(error) = schemas.validate(default, index) {
            let below = of(&error).into_iter();
            wrong.extend(below.map(|found| {
                let pointer = format!("{pointer}/default{}", found.pointer);
                problem(&pointer, &found.problem)
            }));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong),
    }
}

/// Members of a schema that are schemas by name, that are one schema, and that are lists of them.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
const SINGLE: [&str; 6] = [
    "items",
    "additionalProperties",
    "contains",
    "if",
    "then",
    "else",
];
const LISTED: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// The schema and all schemas in it, each with its pointer.
fn parts(schema: &Value) -> Vec<(String, &Value)> {
    let mut parts = vec![(String::new(), schema)];
    let mut next = 0;
    while let Some((pointer, part)) = parts.get(next).cloned() {
        next += 1;
        let member = |name: &str| Some((child(&pointer, name), part.get(name)?));
        for (pointer, schemas) in NAMED.iter().filter_map(|name| member(name)) {
            let named = schemas.as_object().into_iter().flatten();
            parts.extend(named.map(|(name, schema)| (child(&pointer, name), schema)));
        }
        parts.extend(SINGLE.iter().filter_map(|name| member(name)));
        for (pointer, schemas) in LISTED.iter().filter_map(|name| member(name)) {
            let listed = schemas.as_array().into_iter().flatten().enumerate();
            parts.extend(listed.map(|(index, schema)| (format!("{pointer}/{index}"), schema)));
        }
    }
    parts
}

fn problems_of(error: &CompileError, schema: &Value) -> Vec<SettingsProblem> {
    let one = |pointer: &str, text: String| vec![problem(pointer, &text)];
    match error {
        CompileError::ValidationError { url, src } => {
            let base = pointer_in(url);
            let below = of(src).into_iter();
            let at_base = |found: SettingsProblem| SettingsProblem {
                pointer: format!("{base}{}", found.pointer),
                ..found
            };
            below.map(at_base).collect()
        }
        CompileError::InvalidRegex { url, regex, src } => {
            one(&pointer_in(url), format!("`{regex}` is no pattern: {src}"))
        }
        CompileError::LoadUrlError { url, .. } | CompileError::UnsupportedUrlScheme { url } => {
            let text = format!("refers to {url}; nothing is fetched: put it under `$defs`");
            referring(schema, |reference| !reference.starts_with('#'), &text)
        }
        CompileError::InvalidMetaSchemaUrl { .. }
        | CompileError::UnsupportedDraft { .. }
        | CompileError::MetaSchemaCycle { .. } => {
            let text = "is no draft of JSON Schema that is known here; nothing is fetched";
            one("/$schema", text.to_owned())
        }
        CompileError::JsonPointerNotFound(url) => {
            let missing = pointer_in(url);
            let text = format!("refers to `#{missing}`, which is not there");
            referring(
                schema,
                |reference| reference == format!("#{missing}"),
                &text,
            )
        }
        // Boon takes a `pattern` that parses for one that compiles.
        CompileError::Bug(_) => too_large_patterns(schema),
        other => one("", other.to_string().replace(HERE, "")),
    }
}

/// The patterns that are no use, each tried by itself; the whole schema when it is none of them.
fn too_large_patterns(schema: &Value) -> Vec<SettingsProblem> {
    let compiles = |pattern: &Value| {
        let mut compiler = Compiler::new();
        let alone = serde_json::json!({ "pattern": pattern });
        let added = compiler.add_resource(HERE, alone);
        added.is_ok_and(|()| compiler.compile(HERE, &mut Schemas::new()).is_ok())
    };
    let mut found = Vec::new();
    for (pointer, part) in parts(schema) {
        if part
            .get("pattern")
            .is_some_and(|pattern| !compiles(pattern))
        {
            let place = child(&pointer, "pattern");
            found.push(problem(&place, "is too large a pattern, or none"));
        }
    }
    if found.is_empty() {
        found.push(problem("", "cannot be compiled"));
    }
    found
}

/// The problem at each place that refers to what is meant, or at the top when none is found.
fn referring(schema: &Value, is_meant: impl Fn(&str) -> bool, text: &str) -> Vec<SettingsProblem> {
    let refers = |part: &Value, keyword: &str| {
        let reference = part.get(keyword).and_then(Value::as_str);
        reference.is_some_and(&is_meant)
    };
    let mut found = Vec::new();
    for (pointer, part) in parts(schema) {
        let keywords = ["$ref", "$dynamicRef", "$schema"].into_iter();
        let meant = keywords.filter(|keyword| refers(part, keyword));
        found.extend(meant.map(|keyword| problem(&child(&pointer, keyword), text)));
    }
    if found.is_empty() {
        found.push(problem("", text));
    }
    found
}

/// The JSON pointer in an address within the schema.
fn pointer_in(url: &str) -> String {
    let fragment = url.split_once('#').map_or("", |(_, fragment)| fragment);
    percent_encoding::percent_decode_str(fragment)
        .decode_utf8_lossy()
        .into_owned()
}

/// A JSON pointer as a fragment.
fn in_url(pointer: &str) -> String {
    percent_encoding::utf8_percent_encode(pointer, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2F", "/")
}
