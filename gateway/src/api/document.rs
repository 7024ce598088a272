//! The OpenAPI document: made from the routes themselves, and what every operation has in common added to each.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;
use serde_json::{Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi};

use super::permissions::{self, Rule};
use super::problem::{FieldProblem, ProblemBody, RefusalView};
use super::resources;

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
static OPERATIONS: LazyLock<HashMap<(Method, String), &'static str>> = LazyLock::new(operations);

/// The document.
pub fn json() -> &'static Value {
    &DOCUMENT
}

/// The name of what a route does.
pub(super) fn operation(method: &Method, path: &str) -> Option<&'static str> {
    let method = match *method {
        Method::HEAD => Method::GET,
        ref other => other.clone(),
    };
    OPERATIONS.get(&(method, path.to_owned())).copied()
}

fn operations() -> HashMap<(Method, String), &'static str> {
    let mut found = HashMap::new();
    let paths = DOCUMENT["paths"].as_object();
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let name = operation["operationId"].as_str();
            // What the permission table does not know gets a name that nobody may use.
            let name = name
                .and_then(permissions::rule)
                .map_or("unknown", |rule| rule.operation);
            if let Ok(method) = method.to_uppercase().parse() {
                found.insert((method, path.clone()), name);
            }
        }
    }
    found
}

const ABOUT: &str = "Everything that can be set up, seen and undone at a Vestibule gateway. \
    Errors are problem details (RFC 9457). `docs/api.md` explains keys, roles, pages, idempotency and ETags.";

fn make() -> Value {
    let mut document = resources().into_openapi();
    document.info = InfoBuilder::new()
        .title("Vestibule management API")
        .description(Some(ABOUT))
        .version("1")
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").build(),
        ))
        .build();
    add_components(&mut document);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["security"] = json!([{"key": []}]);
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            add_what_all_have(method, operation);
        }
    }
    document
}

fn add_components(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key, `vst_…`."))
        .build();
    components.add_security_scheme("key", SecurityScheme::Http(bearer));
    let problem = [
        ("Problem", ProblemBody::schema()),
        ("FieldProblem", FieldProblem::schema()),
        ("RefusalView", RefusalView::schema()),
    ];
    let schemas = problem.map(|(name, schema)| (name.to_owned(), schema));
    components.schemas.extend(schemas);
}

/// Who may, what a problem looks like, and the header of a POST that may be repeated.
fn add_what_all_have(method: &str, operation: &mut Value) {
    let name = operation["operationId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let who = permissions::rule(&name).map_or_else(|| "nobody".to_owned(), who);
    let about = operation["description"].as_str().unwrap_or_default();
    operation["description"] = json!(format!("{about}\n\nFor: {who}.").trim());
    operation["responses"]["default"] = json!({
        "description": "A problem",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    if method == "post" {
        let parameters = operation["parameters"].as_array().cloned();
        let mut parameters = parameters.unwrap_or_default();
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Sent again with the same key, the request changes nothing and gets the same answer.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        }));
        operation["parameters"] = json!(parameters);
    }
}

fn who(rule: &Rule) -> String {
    if rule.any_key {
        return "every key".to_owned();
    }
    let scopes = rule.scopes.iter().map(|scope| match scope {
        crate::access::ScopeKind::Send => "tokens with the scope send",
        crate::access::ScopeKind::Event => "tokens with a scope event:…",
    });
    let roles = rule.roles.iter().map(|role| role.text());
    roles.chain(scopes).collect::<Vec<_>>().join(", ")
}

/// The document as it is served, printed and kept in `docs/openapi.json`.
pub fn pretty() -> String {
    let mut text = serde_json::to_string_pretty(json()).unwrap_or_default();
    text.push('\n');
    text
}
