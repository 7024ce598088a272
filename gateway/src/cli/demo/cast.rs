//! Who plays: the businesses with their numbers and menus, the customers. Everybody's secrets are known to everybody.

use crate::admin::Command;
use crate::simulator::{NumberState, Profile, SimNumber, SimulatorHandle};

/// A demo has no secrets: these are known to everybody.
pub(super) const APP_SECRET: &str = "demo-app-secret";
pub(super) const VERIFY_TOKEN: &str = "demo-verify-token";
pub(super) const TOKEN: &str = "demo-access-token";
pub(super) const CUSTOMER: &str = "447700900123";
/// A second customer, who shows only a username.
const SHY_CUSTOMER: &str = "447700900456";

/// Tenant, phone-number id, WABA, displayed number.
pub(super) const NUMBERS: [(&str, &str, &str, &str); 4] = [
    (
        "Quay Bakery",
        "770000000000001",
        "990000000000001",
        "441632960101",
    ),
    (
        "Quay Bakery",
        "770000000000002",
        "990000000000001",
        "441632960102",
    ),
    (
        "Harbour Bikes",
        "770000000000003",
        "990000000000002",
        "441632960201",
    ),
    (
        "Harbour Bikes",
        "770000000000004",
        "990000000000002",
        "441632960202",
    ),
];

/// What stands over the chats on the phone.
const NAMES: [&str; 4] = [
    "Quay Bakery",
    "Quay Bakery Wholesale",
    "Harbour Bikes",
    "Harbour Bikes Repairs",
];

/// The bakery's menu has buttons and a list; the bicycle shop's is the plugin's own, as text.
const BAKERY: &str = r#"{
    "style": "buttons",
    "list_button": "Our cakes",
    "mark_read": true,
    "menu": { "title": "Welcome to *Quay Bakery*! What can we do for you?", "items": [
        { "key": "1", "title": "Opening hours", "reply": "We are open every day from 7 to 18 o'clock." },
        { "key": "2", "title": "Cakes", "submenu": { "title": "Baked this morning:", "items": [
            { "key": "1", "title": "Plum crumble", "reply": "Plum crumble, 3.80 a slice. Shall we keep one for you?" },
            { "key": "2", "title": "Poppy seed cake", "reply": "Poppy seed cake, 3.60 a slice." },
            { "key": "3", "title": "Lemon tart", "reply": "Lemon tart, 4.20. The last two!" },
            { "key": "4", "title": "Rye bread", "reply": "Rye bread, 5.40 a loaf, still warm." }
        ] } },
        { "key": "0", "title": "A person", "hand_over": "counter" }
    ] }
}"#;
pub(super) const TENANTS: [(&str, &str); 2] = [
    ("Quay Bakery", BAKERY),
    ("Harbour Bikes", r#"{ "mark_read": true }"#),
];

/// Names of businesses and customers.
pub(super) fn furnish(simulator: &SimulatorHandle) -> anyhow::Result<()> {
    for ((_, phone_number_id, _, _), name) in NUMBERS.iter().zip(NAMES) {
        simulator.number(phone_number_id)?.set_state(NumberState {
            verified_name: name.to_owned(),
            ..NumberState::default()
        });
        simulator
            .customer(phone_number_id, CUSTOMER)?
            .set_profile(Profile {
                name: "Ines Duarte".to_owned(),
                ..Profile::default()
            });
        simulator
            .customer(phone_number_id, SHY_CUSTOMER)?
            .set_profile(Profile {
                name: "Mo".to_owned(),
                username: Some("mo_77".to_owned()),
                shows_phone: false,
                ..Profile::default()
            });
    }
    Ok(())
}

pub(super) fn sim_number(
    (_, phone_number_id, waba_id, display): &(&str, &str, &str, &str),
) -> SimNumber {
    SimNumber {
        phone_number_id: (*phone_number_id).to_owned(),
        waba_id: (*waba_id).to_owned(),
        display_number: (*display).to_owned(),
        throughput: 80,
        access_token: TOKEN.to_owned(),
    }
}

pub(super) fn number_command(
    (tenant, phone_number_id, waba_id, display): &(&str, &str, &str, &str),
) -> Command {
    Command::NumberAdd {
        tenant: (*tenant).to_owned(),
        app: None,
        credential: "demo".to_owned(),
        portfolio: None,
        waba_id: (*waba_id).to_owned(),
        phone_number_id: (*phone_number_id).to_owned(),
        display_number: format!("+{display}"),
        time_zone: "Europe/London".to_owned(),
        throughput: 80,
    }
}
