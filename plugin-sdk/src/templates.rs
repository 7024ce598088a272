//! The templates of the number's account, and what a send of each takes (grant `templates`).
//!
//! ```
//! # use vestibule_plugin::{templates, Outcome, TimerTurn};
//! # fn fire(turn: &mut TimerTurn) -> Outcome {
//! // In the person's language, if there is an approved version of it that takes just an order's number.
//! if let Some(template) = templates::best("order_update")? {
//!     match template.filled(&["4711"]) {
//!         Some(content) => turn.say(content.into())?,
//!         None => turn.note("order_update takes something else by now")?,
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use crate::content::{Parameter, Template};
use crate::{ReadError, host};

pub use crate::bindings::host::vestibule::plugin::templates::{
    Button, Card, Category, Filter, Header, Key, Listed, Page, Quality, Status,
};

/// "The person's language, if the template has it."
pub const AUTO: &str = "auto";

/// One language version of a template.
pub struct KnownTemplate(host::KnownTemplate);

/// Approved ones, by name and language, those behind `after`: at most `most` (1 to 100) and 8 KiB of names.
///
/// ```
/// # use vestibule_plugin::{templates::{self, Filter}, Outcome, Turn};
/// # fn reply(turn: &mut Turn) -> Outcome {
/// let of_orders = Filter { begins_with: "order_".to_owned(), ..Filter::default() };
/// let page = templates::search(&of_orders, None, 20)?;
/// let names: Vec<&str> = page.listed.iter().map(|one| one.key.name.as_str()).collect();
/// # Ok(())
/// # }
/// ```
pub fn search(filter: &Filter, after: Option<&Key>, most: u32) -> Result<Page, ReadError> {
    host::search_templates(filter, after, most)
}

/// In exactly this language, whatever its status.
pub fn find(name: &str, language: &str) -> Result<Option<KnownTemplate>, ReadError> {
    Ok(host::find_template(&Key::new(name, language))?.map(KnownTemplate))
}

/// The language in which a send of this name and `language` goes out to the turn's person now: of [`AUTO`] and of codes
/// with commas between the one that the gateway would choose, of a code this one. `None`: no approved version fits.
pub fn choose_language(name: &str, language: &str) -> Result<Option<String>, ReadError> {
    host::choose_language(name, language)
}

/// The approved version that a send in the language [`AUTO`] would use.
pub fn best(name: &str) -> Result<Option<KnownTemplate>, ReadError> {
    match choose_language(name, AUTO)? {
        Some(language) => find(name, &language),
        None => Ok(None),
    }
}

impl KnownTemplate {
    pub fn key(&self) -> Key {
        self.0.key()
    }

    /// What Meta charges it as today, and what the person's consent must cover.
    pub fn category(&self) -> Category {
        self.0.category()
    }

    pub fn status(&self) -> Status {
        self.0.status()
    }

    pub fn quality(&self) -> Quality {
        self.0.quality()
    }

    /// Has the gateway seen what it looks like? While it has not, what follows is empty.
    pub fn is_read(&self) -> bool {
        self.0.is_read()
    }

    pub fn header(&self) -> Header {
        self.0.header()
    }

    /// The body's variables: `1`, `2` … or names.
    pub fn parameters(&self) -> Vec<String> {
        self.0.parameters()
    }

    pub fn buttons(&self) -> Vec<Button> {
        self.0.buttons()
    }

    pub fn cards(&self) -> Vec<Card> {
        self.0.cards()
    }

    /// Must a send say when its limited-time offer ends?
    pub fn has_offer(&self) -> bool {
        self.0.has_offer()
    }

    /// A send of it with these values for the body's variables, in the order of [`parameters`](Self::parameters): each by its
    /// place or name. `None`: they are not as many. Header, buttons, cards and offer are still to be given, where it takes
    /// any.
    pub fn filled(&self, values: &[&str]) -> Option<Template> {
        let names = self.parameters();
        if names.len() != values.len() {
            return None;
        }
        let filled = names.iter().zip(values);
        let parameters = filled.map(|(name, value)| match is_place(name) {
            true => Parameter::positional(*value),
            false => Parameter::named(name.as_str(), *value),
        });
        let Key { name, language } = self.key();
        Some(Template::new(name, language, parameters.collect()))
    }
}

fn is_place(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_digit())
}

impl Key {
    pub fn new(name: impl Into<String>, language: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            language: language.into(),
        }
    }
}

/// All of them.
impl Default for Filter {
    fn default() -> Self {
        Self {
            begins_with: String::new(),
            category: None,
            language: None,
        }
    }
}
