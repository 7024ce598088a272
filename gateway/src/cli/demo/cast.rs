//! Who plays: the businesses with their numbers and menus, the customers. Everybody's secrets are known to everybody.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::admin::{Command, PluginInstall, PluginTerms};
use crate::reference_plugins::MENU;
use crate::simulator::{NumberState, Profile, SimNumber, SimulatorHandle};

/// A demo has no secrets: these are known to everybody.
pub(super) const APP_SECRET: &str = "demo-app-secret";
pub(super) const VERIFY_TOKEN: &str = "demo-verify-token";
pub(super) const TOKEN: &str = "demo-access-token";
/// The token's name.
pub(super) const CREDENTIAL: &str = "demo";
pub(super) const CUSTOMER: &str = "447700900123";
/// A second customer, who shows only a username.
const SHY_CUSTOMER: &str = "447700900456";

/// A number of a business.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Number {
    pub tenant: &'static str,
    pub phone_number_id: &'static str,
    pub waba_id: &'static str,
    /// Digits.
    pub display: &'static str,
    /// What stands over the chat on the phone.
    pub name: &'static str,
}

const DEMO: [Number; 4] = [
    Number {
        tenant: "Quay Bakery",
        phone_number_id: "770000000000001",
        waba_id: "990000000000001",
        display: "441632960101",
        name: "Quay Bakery",
    },
    Number {
        tenant: "Quay Bakery",
        phone_number_id: "770000000000002",
        waba_id: "990000000000001",
        display: "441632960102",
        name: "Quay Bakery Wholesale",
    },
    Number {
        tenant: "Harbour Bikes",
        phone_number_id: "770000000000003",
        waba_id: "990000000000002",
        display: "441632960201",
        name: "Harbour Bikes",
    },
    Number {
        tenant: "Harbour Bikes",
        phone_number_id: "770000000000004",
        waba_id: "990000000000002",
        display: "441632960202",
        name: "Harbour Bikes Repairs",
    },
];

/// The business that an author's plugin answers for.
pub(in crate::cli) const AUTHOR: &str = "Author";
const AUTHORS: [Number; 1] = [Number {
    tenant: AUTHOR,
    phone_number_id: "770000000000001",
    waba_id: "990000000000001",
    display: "441632960101",
    name: "Your plugin",
}];

/// Who plays, and under which terms.
pub(in crate::cli) struct Cast {
    /// In the name of the data folder.
    pub name: &'static str,
    /// Where the phone is.
    pub listen: SocketAddr,
    pub numbers: &'static [Number],
    /// Of every business, a JSON object.
    pub tenant_settings: &'static str,
    /// What is installed from the beginning on.
    pub plugins: Vec<PluginInstall>,
    /// What the gateway is told beside where everything is.
    pub config: Vec<(&'static str, String)>,
}

impl Cast {
    pub(super) fn demo() -> Self {
        let menu = |(tenant, config): &(&str, &str)| PluginInstall {
            terms: PluginTerms {
                config: Some((*config).to_owned()),
                grants: Some(["kv", "window"].map(str::to_owned).into()),
                ..PluginTerms::default()
            },
            ..PluginInstall::new(tenant, MENU)
        };
        Self {
            name: "demo",
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            numbers: &DEMO,
            tenant_settings: r#"{"consent_basis":"attested"}"#,
            plugins: MENUS.iter().map(menu).collect(),
            config: Vec::new(),
        }
    }

    /// One business with one number, and nothing installed. Its bot may answer as often as somebody likes who tries it all
    /// day; a save is an upload, and a version that fails stays: its author wants to see it fail.
    pub(in crate::cli) fn author(listen: SocketAddr) -> Self {
        Self {
            name: "run",
            listen,
            numbers: &AUTHORS,
            tenant_settings: r#"{"consent_basis":"attested","replies_per_hour":1000000}"#,
            plugins: Vec::new(),
            config: vec![
                ("PLUGINS__UPLOADS_PER_TENANT", "1000000".to_owned()),
                ("PLUGINS__BREAKER_FAULT_PERCENT", "100".to_owned()),
            ],
        }
    }

    pub(super) fn tenants(&self) -> BTreeSet<&'static str> {
        self.numbers.iter().map(|number| number.tenant).collect()
    }

    /// Names of businesses and customers.
    pub(super) fn furnish(&self, simulator: &SimulatorHandle) -> anyhow::Result<()> {
        for Number {
            phone_number_id,
            name,
            ..
        } in self.numbers
        {
            simulator.number(phone_number_id)?.set_state(NumberState {
                verified_name: (*name).to_owned(),
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
}

impl Number {
    pub(super) fn simulated(&self) -> SimNumber {
        SimNumber {
            phone_number_id: self.phone_number_id.to_owned(),
            waba_id: self.waba_id.to_owned(),
            display_number: self.display.to_owned(),
            throughput: 80,
            access_token: TOKEN.to_owned(),
        }
    }

    pub(super) fn command(&self) -> Command {
        Command::NumberAdd {
            tenant: self.tenant.to_owned(),
            app: None,
            credential: CREDENTIAL.to_owned(),
            portfolio: None,
            waba_id: self.waba_id.to_owned(),
            phone_number_id: self.phone_number_id.to_owned(),
            display_number: format!("+{}", self.display),
            time_zone: "Europe/London".to_owned(),
            throughput: 80,
        }
    }
}

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
const MENUS: [(&str, &str); 2] = [
    ("Quay Bakery", BAKERY),
    ("Harbour Bikes", r#"{ "mark_read": true }"#),
];
