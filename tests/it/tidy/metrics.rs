//! Metrics have one catalog: a name stands in `telemetry/names.rs` and nowhere else, and each is counted somewhere.

use super::assert_none;
use super::source::sources;

const CATALOG: &str = "gateway/src/telemetry/names.rs";

#[test]
fn no_metric_is_named_outside_the_catalog() {
    let offences: Vec<String> = sources("gateway/src")
        .into_iter()
        .filter(|source| !source.path.starts_with("gateway/src/telemetry/"))
        .filter(|source| source.text.contains("!(\"vestibule_"))
        .map(|source| source.path)
        .collect();
    assert_none("name the metric in telemetry/names.rs:", &offences);
}

#[test]
fn every_metric_of_the_catalog_is_counted() {
    let all = sources("gateway/src");
    let catalog = all.iter().find(|source| source.path == CATALOG);
    let text = &catalog.expect("the catalog").text;
    let names = text
        .lines()
        .filter_map(|line| Some(line.trim().split_once(" = \"vestibule_")?.0));
    let idle: Vec<&str> = names
        .filter(|name| {
            let used = format!("names::{name}");
            !all.iter()
                .any(|source| source.path != CATALOG && source.code.contains(&used))
        })
        .collect();
    assert_none("metrics that nothing counts (telemetry/names.rs):", &idle);
}
