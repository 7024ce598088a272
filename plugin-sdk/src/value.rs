//! Typed values: of attributes, and of the fields of events and timers.

pub use crate::bindings::host::vestibule::plugin::types::{Day, Field, Value};

impl Field {
    /// A named value.
    ///
    /// ```
    /// # use vestibule_plugin::{Field, Value};
    /// let amount = Field::new("amount", 49.9);
    /// assert_eq!(amount.value, Value::Number(49.9));
    /// ```
    pub fn new(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

impl Value {
    /// The text, of a text.
    ///
    /// ```
    /// # use vestibule_plugin::Value;
    /// assert_eq!(Value::from("gold").text(), Some("gold"));
    /// assert_eq!(Value::from(1.0).text(), None);
    /// ```
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, of a number.
    ///
    /// ```
    /// # use vestibule_plugin::Value;
    /// assert_eq!(Value::from(49.9).number(), Some(49.9));
    /// // What the contract has no case for is none of the others, and cannot be set.
    /// assert_eq!(Value::Other("{\"km\":4}".to_owned()).number(), None);
    /// ```
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Itself, or the text of what has no case: that can be set, as `Other` cannot.
    ///
    /// ```
    /// # use vestibule_plugin::Value;
    /// let nested = Value::Other("{\"km\":4}".to_owned());
    /// assert_eq!(nested.or_text(), Value::from("{\"km\":4}"));
    /// assert_eq!(Value::from(4.0).or_text(), Value::from(4.0));
    /// ```
    #[must_use]
    pub fn or_text(self) -> Self {
        match self {
            Self::Other(json) => Self::Text(json),
            value => value,
        }
    }

    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Day> for Value {
    fn from(day: Day) -> Self {
        Self::Date(day)
    }
}

impl From<Vec<String>> for Value {
    fn from(items: Vec<String>) -> Self {
        Self::Items(items)
    }
}
