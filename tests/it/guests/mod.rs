//! The components that the build makes, in the real host: what they are (here), what the ordinary ones do, what becomes
//! of the hostile ones.

mod bombs;
#[path = "../../../gateway/src/plugin_host/testing/compose.rs"]
#[allow(dead_code, reason = "the gateway's own tests use the rest")]
mod compose;
mod generated;
mod hostile;
mod largest;
mod lines;
mod ordinary;
mod reading;
pub(crate) mod stage;
mod tampering;
mod templates;

use vestibule::plugin_host::{Inspection, inspect};
use vestibule::reference_plugins::MENU;
use vestibule_tests::guests;

/// Every guest, and the hooks that it exports.
const HOOKS: &[(&str, &[&str])] = &[
    ("allocate", &["auto-reply"]),
    ("asker", &["auto-reply"]),
    ("attribute_bomb", &["auto-reply"]),
    ("big_output", &["auto-reply"]),
    ("brittle", &["auto-reply"]),
    ("catalogue", &["auto-reply"]),
    (
        "clockwork",
        &["auto-reply", "on-event", "on-timer", "on-receipt"],
    ),
    ("counter", &["auto-reply"]),
    ("echo", &["auto-reply"]),
    ("echo_warmly", &["auto-reply"]),
    ("enricher", &["enrichment"]),
    ("flood_effects", &["auto-reply"]),
    ("flood_host_calls", &["auto-reply"]),
    ("flood_logs", &["auto-reply"]),
    ("forger", &["auto-reply"]),
    ("forgetful_counter", &["auto-reply"]),
    ("grow_memory", &["auto-reply"]),
    ("half_effects_then_fault", &["auto-reply"]),
    ("hoarder", &["auto-reply"]),
    ("hot_key", &["auto-reply"]),
    ("laborer", &["auto-reply"]),
    ("loop_forever", &["auto-reply"]),
    ("order_status", &["auto-reply"]),
    ("random_clock", &["auto-reply"]),
    ("reader", &["auto-reply"]),
    ("recurse", &["auto-reply"]),
    ("reject", &["auto-reply"]),
    ("retry_later", &["auto-reply"]),
    ("router", &["routing", "auto-reply"]),
    ("says_everything", &["auto-reply"]),
    ("teller", &["auto-reply"]),
    ("timers_by_the_million", &["auto-reply"]),
    ("trap", &["auto-reply"]),
    (
        "witness",
        &[
            "enrichment",
            "routing",
            "auto-reply",
            "on-event",
            "on-timer",
            "on-receipt",
        ],
    ),
];

#[test]
fn every_guest_passes_inspection_with_the_hooks_that_it_claims() {
    let expected: Vec<(&str, Vec<String>)> = HOOKS
        .iter()
        .map(|(name, hooks)| (*name, hooks.iter().map(|hook| (*hook).to_owned()).collect()))
        .collect();
    let found: Vec<(&str, Vec<String>)> = guests::ALL
        .iter()
        .map(|(name, bytes)| (*name, inspected(name, bytes).manifest.interfaces))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_menu_is_a_small_component_with_its_manifest() {
    let menu = inspected("menu", MENU);
    assert_eq!(menu.manifest.name, "menu");
    assert!(menu.manifest.grants.contains("kv"));
    assert!(menu.manifest.config_schema.is_some());
    // Twice what it takes today: a plugin that doubles has pulled something in.
    assert!(MENU.len() < 400 << 10, "{} bytes", MENU.len());
}

/// Inspection refuses any import but the contract's, so no component of ours needs WASI.
fn inspected(name: &str, component: &[u8]) -> Inspection {
    inspect(component).unwrap_or_else(|error| panic!("{name}: {error}"))
}
