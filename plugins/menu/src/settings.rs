//! The tenant's settings: the tree of menus and a few words. Everything has a default, so that the plugin works as it
//! comes. `config.schema.json` says the same for the gateway, which checks settings before a turn sees them.

use serde::Deserialize;

/// All settings.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// How choices are shown.
    pub(crate) style: Style,
    /// The top of the tree.
    pub(crate) menu: Node,
    /// Words that lead to the top.
    pub(crate) menu_words: Vec<String>,
    /// Words that lead one step up.
    pub(crate) back_words: Vec<String>,
    /// Said before the menu when a message was not understood.
    pub(crate) not_understood: String,
    /// Said after an answer; empty for nothing.
    pub(crate) hint: String,
    /// Said when people take over and the item says nothing itself.
    pub(crate) handed_over: String,
    /// What opens a list of choices, at most 20 characters.
    pub(crate) list_button: String,
    /// Shows the blue ticks before it answers: one more request to Meta a message.
    pub(crate) mark_read: bool,
    /// What becomes of a customer who says nothing more.
    pub(crate) idle: Idle,
}

/// Times are minutes; 0: never.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Idle {
    /// Who stopped within a menu is reminded after so long.
    pub(crate) remind_after_minutes: u64,
    /// Said before that menu.
    pub(crate) reminder: String,
    /// The conversation is closed so long after the last word of ours.
    pub(crate) close_after_minutes: u64,
}

impl Default for Idle {
    fn default() -> Self {
        Self {
            remind_after_minutes: 0,
            reminder: "Are you still there?".to_owned(),
            close_after_minutes: 0,
        }
    }
}

/// How choices are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Style {
    /// Keys to type, one line each.
    Text,
    /// Buttons for up to three choices, a list for up to ten, text beyond.
    Buttons,
}

/// One menu.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    pub(crate) title: String,
    pub(crate) items: Vec<Item>,
}

/// One choice: an answer, a menu below, or people.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// What the customer types.
    pub(crate) key: String,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) reply: Option<String>,
    #[serde(default)]
    pub(crate) submenu: Option<Node>,
    /// The queue that gets the conversation, after `reply` if there is one.
    #[serde(default)]
    pub(crate) hand_over: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            style: Style::Text,
            menu: default_menu(),
            menu_words: words(&["menu", "start", "home"]),
            back_words: words(&["back"]),
            not_understood: "Sorry, I did not understand that.".to_owned(),
            hint: "Write *menu* to see the choices again.".to_owned(),
            handed_over: "One moment, a person will answer you here.".to_owned(),
            list_button: "Choose".to_owned(),
            mark_read: false,
            idle: Idle::default(),
        }
    }
}

fn default_menu() -> Node {
    let delivery = vec![
        Item::replying(
            "1",
            "How long it takes",
            "Orders arrive within two working days.",
        ),
        Item::replying(
            "2",
            "What it costs",
            "Delivery costs 3.90, and nothing from 50 on.",
        ),
    ];
    Node {
        title: "Welcome! What can we do for you?".to_owned(),
        items: vec![
            Item::replying(
                "1",
                "Opening hours",
                "We are open Monday to Friday, 9:00 to 18:00.",
            ),
            Item {
                submenu: Some(Node {
                    title: "Delivery".to_owned(),
                    items: delivery,
                }),
                ..Item::titled("2", "Delivery")
            },
            Item {
                hand_over: Some("support".to_owned()),
                ..Item::titled("0", "Talk to a person")
            },
        ],
    }
}

impl Item {
    fn titled(key: &str, title: &str) -> Self {
        Self {
            key: key.to_owned(),
            title: title.to_owned(),
            reply: None,
            submenu: None,
            hand_over: None,
        }
    }

    fn replying(key: &str, title: &str, reply: &str) -> Self {
        Self {
            reply: Some(reply.to_owned()),
            ..Self::titled(key, title)
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::Settings;

    /// The gateway fills the schema's defaults in: what a tenant leaves out must mean the same without it.
    #[test]
    fn the_defaults_of_the_schema_are_those_of_the_code() {
        let schema: Value =
            serde_json::from_str(include_str!("../config.schema.json")).expect("JSON");
        let properties = schema["properties"].as_object().expect("properties");
        let default =
            |(name, part): (&String, &Value)| Some((name.clone(), part.get("default")?.clone()));
        let filled: Map<String, Value> = properties.iter().filter_map(default).collect();
        assert!(filled.len() >= 7, "{filled:?}");
        let settings: Settings = serde_json::from_value(Value::Object(filled)).expect("they fit");
        assert_eq!(settings, Settings::default());
    }
}
