//! The document: what is checked in is what is served, and it is whole in itself.

use serde_json::Value;
use vestibule::access::Role;
use vestibule::api::{document, permissions};
use vestibule_tests::{Kind, TestDatabase};

use super::Ground;

/// Read when the test runs: whoever has just written it anew need not build again.
fn kept(file: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::read_to_string(path.join(file)).expect("it is in the tree")
}

#[test]
fn the_document_that_is_checked_in_is_that_of_the_code() {
    let fresh = document::pretty() == kept("openapi.json");
    assert!(
        fresh,
        "run: cargo run -p vestibule -- openapi > docs/openapi.json"
    );
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = document::json();
    let mut lost = Vec::new();
    look(document, document, &mut lost);
    assert!(lost.is_empty(), "{lost:?}");
}

fn look(document: &Value, value: &Value, lost: &mut Vec<String>) {
    if let Some(reference) = value["$ref"].as_str()
        && document
            .pointer(reference.trim_start_matches('#'))
            .is_none()
    {
        lost.push(reference.to_owned());
    }
    match value {
        Value::Object(fields) => fields
            .values()
            .for_each(|value| look(document, value, lost)),
        Value::Array(items) => items.iter().for_each(|value| look(document, value, lost)),
        _ => {}
    }
}

#[test]
fn every_operation_says_what_it_is_and_for_whom() {
    let document = document::json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let said = |field: &str| {
                operation[field]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            };
            assert!(said("summary") && said("operationId"), "{method} {path}");
            let about = operation["description"].as_str().unwrap_or_default();
            assert!(
                about.contains("For: ") && !about.contains("nobody"),
                "{method} {path}"
            );
            let tagged = operation["tags"]
                .as_array()
                .is_some_and(|tags| tags.len() == 1);
            assert!(tagged, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn document_and_page_are_served_to_everybody_and_load_nothing_from_elsewhere() {
    let database = TestDatabase::fresh(Kind::Sqlite)
        .await
        .expect("SQLite is always there");
    let ground = Ground::on(&database).await;
    let served = ground.get("", "/openapi.json").await;
    assert_eq!(served.status, 200);
    assert_eq!(&served.body, document::json());
    let request = ground.request("GET", "/api/v1/docs", "");
    let page = request.send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let text = page.text().await.expect("a page");
    assert!(!text.contains("http://") && !text.contains("https://"));
    ground.end().await;
}

/// The table of `docs/api.md`, from the code.
fn table() -> String {
    let short = |role: &Role| match role {
        Role::TenantAdmin => "admin",
        Role::PluginAuthor => "author",
        other => other.text(),
    };
    let heads: Vec<&str> = Role::ALL.iter().map(short).collect();
    let mut lines = vec![
        format!("| | {} |", heads.join(" | ")),
        format!("|---|{}", "---|".repeat(heads.len())),
    ];
    for rule in permissions::RULES {
        let may = Role::ALL
            .iter()
            .map(|role| match rule.roles.contains(role) {
                true => "x",
                false => "",
            });
        let cells: Vec<&str> = may.collect();
        lines.push(format!("| `{}` | {} |", rule.operation, cells.join(" | ")));
    }
    lines.join("\n")
}

#[test]
fn the_table_of_roles_in_the_docs_is_that_of_the_code() {
    let kept = kept("api.md");
    assert!(
        kept.contains(&table()),
        "docs/api.md wants this table:\n{}",
        table()
    );
}
