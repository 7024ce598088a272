//! Typed values: attributes of conversations, fields of events and timers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A typed value. Its JSON is what it looks like; a day is `{"date": "2026-11-25"}`, to be told from text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum AttributeValue {
    Boolean(bool),
    Number(Finite),
    Text(String),
    Date {
        date: Day,
    },
    Items(Vec<String>),
    /// What this version has no type for: a newer gateway wrote it, or a form of WhatsApp's brought it. Nobody sets it.
    Other(Value),
}

/// Named values.
pub type Fields = BTreeMap<String, AttributeValue>;

/// Of a text, and of each text of a list.
pub const TEXT_MOST: usize = 1024;
/// Texts of a list.
pub const ITEMS_MOST: usize = 100;
/// Characters of a name.
pub const NAME_MOST: usize = 64;
/// Named values of one event or timer. A guess: what is larger belongs into the system that it is about.
pub const FIELDS_MOST: usize = 32;

impl AttributeValue {
    /// What is wrong with it, if anything. NUL is refused: PostgreSQL's TEXT cannot hold it.
    pub fn problem(&self) -> Option<&'static str> {
        let fits = |text: &String| {
            text.len() <= TEXT_MOST * 4 && text.chars().count() <= TEXT_MOST && !text.contains('\0')
        };
        match self {
            Self::Text(text) if !fits(text) => {
                Some("text of at most 1024 characters and without NUL")
            }
            Self::Items(items) if items.len() > ITEMS_MOST || !items.iter().all(fits) => {
                Some("a list of at most 100 texts of at most 1024 characters and without NUL")
            }
            Self::Other(_) => {
                Some("text, a number, true or false, a list of texts or {\"date\": \"2026-11-25\"}")
            }
            _ => None,
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Boolean(_) | Self::Number(_) | Self::Date { .. } => 16,
            Self::Text(text) => text.len(),
            Self::Items(items) => items.iter().map(|item| item.len() + 3).sum(),
            Self::Other(value) => value.to_string().len(),
        }
    }

    /// As an attribute of a contact is kept: there its definition says what is a day.
    pub fn plain(&self) -> Value {
        match self {
            Self::Date { date } => date.to_string().into(),
            other => serde_json::to_value(other).unwrap_or_default(),
        }
    }
}

/// What an attribute of contacts may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeKind {
    Text,
    Number,
    /// A day: `2026-11-25`.
    Date,
    Boolean,
    /// Texts.
    List,
}

impl AttributeKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Date => "date",
            Self::Boolean => "boolean",
            Self::List => "list",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Text,
            Self::Number,
            Self::Date,
            Self::Boolean,
            Self::List,
        ]
        .into_iter()
        .find(|kind| kind.word() == word)
    }

    /// A value as it is kept, if it is of this kind.
    pub fn read(self, value: Value) -> Option<AttributeValue> {
        match (self, value) {
            (Self::Text, Value::String(text)) => Some(text.into()),
            (Self::Date, Value::String(text)) => {
                let date = Day::try_from(text).ok()?;
                Some(AttributeValue::Date { date })
            }
            (Self::Number, value @ Value::Number(_))
            | (Self::Boolean, value @ Value::Bool(_))
            | (Self::List, value @ Value::Array(_)) => {
                let read: AttributeValue = serde_json::from_value(value).ok()?;
                (!matches!(read, AttributeValue::Other(_))).then_some(read)
            }
            _ => None,
        }
    }

    /// What is wrong with a value, if anything.
    pub fn complaint(self, value: &Value) -> Option<&'static str> {
        let short = |text: &str| text.chars().count() <= TEXT_MOST;
        let fits = match (self, value) {
            (Self::Text, Value::String(text)) => short(text),
            (Self::Number, Value::Number(_)) | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Date, Value::String(text)) => text.parse::<jiff::civil::Date>().is_ok(),
            (Self::List, Value::Array(items)) => {
                let all = items.iter().all(|item| item.as_str().is_some_and(short));
                all && items.len() <= ITEMS_MOST
            }
            _ => false,
        };
        (!fits).then_some(match self {
            Self::Text => "must be text of at most 1024 characters",
            Self::Number => "must be a number",
            Self::Date => "must be a day like 2026-11-25",
            Self::Boolean => "must be true or false",
            Self::List => "must be a list of at most 100 texts",
        })
    }
}

/// What is wrong with a name, if anything.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let long = name.len() > NAME_MOST * 4 || name.chars().count() > NAME_MOST;
    (name.is_empty() || long || name.chars().any(char::is_control))
        .then_some("a name of 1 to 64 characters without control characters")
}

/// Its text, where only text can be shown.
impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => number.0.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Date { date } => date.fmt(f),
            Self::Items(items) => f.write_str(&items.join(", ")),
            Self::Other(value) => value.fmt(f),
        }
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A number that is one: neither NaN nor infinite, and of the two zeros the one.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Finite(f64);

impl Eq for Finite {}

impl Finite {
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Finite {
    type Error = &'static str;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        match number.is_finite() {
            // The negative zero is the zero.
            true => Ok(Self(number + 0.0)),
            false => Err("a finite number"),
        }
    }
}

/// Whole numbers that a double holds exactly are written without a fraction.
impl Serialize for Finite {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "only whole numbers below 2^53 are cast"
    )]
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            to.serialize_i64(self.0 as i64)
        } else {
            to.serialize_f64(self.0)
        }
    }
}

/// A day that is in the calendar: `2026-11-25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(jiff::civil::Date);

impl Day {
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let signed = |part: u8| i8::try_from(part).ok();
        let date = jiff::civil::Date::new(i16::try_from(year).ok()?, signed(month)?, signed(day)?);
        date.ok().map(Self)
    }

    /// Year, month and day; a year before our era is 0.
    pub fn parts(self) -> (u16, u8, u8) {
        let unsigned = |part: i8| u8::try_from(part).unwrap_or(0);
        let year = u16::try_from(self.0.year()).unwrap_or(0);
        (year, unsigned(self.0.month()), unsigned(self.0.day()))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self).map_err(|_| "a day like 2026-11-25")
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_like_what_they_are_and_read_back() {
        let number = |n: f64| AttributeValue::Number(Finite::try_from(n).expect("finite"));
        let day = Day::new(2026, 11, 25).expect("a day");
        for (value, json) in [
            (AttributeValue::from("2026-11-25"), r#""2026-11-25""#),
            (number(3.0), "3"),
            (number(-0.0), "0"),
            (number(0.5), "0.5"),
            (AttributeValue::Boolean(true), "true"),
            (
                AttributeValue::Date { date: day },
                r#"{"date":"2026-11-25"}"#,
            ),
            (AttributeValue::Items(vec!["a".into()]), r#"["a"]"#),
        ] {
            assert_eq!(serde_json::to_string(&value).expect("JSON"), json);
            let read: AttributeValue = serde_json::from_str(json).expect("a value");
            assert_eq!(read, value);
        }
    }

    #[test]
    fn what_is_no_number_and_no_day_is_refused() {
        assert!(Finite::try_from(f64::NAN).is_err());
        assert!(Finite::try_from(f64::INFINITY).is_err());
        assert_eq!(Day::new(2026, 2, 30), None);
        assert_eq!(Day::new(40_000, 1, 1), None);
    }

    /// A newer gateway may have written it: it is kept as it is, and nobody may set it.
    #[test]
    fn what_has_no_type_is_kept_and_refused() {
        for json in [
            r#"{"date":"2026-13-01"}"#,
            r#"{"date":"2026-11-25","time":"10:00"}"#,
            r#"{"km":4}"#,
            "[1]",
            "null",
        ] {
            let read: AttributeValue = serde_json::from_str(json).expect("JSON");
            assert!(matches!(read, AttributeValue::Other(_)), "{json}");
            assert!(read.problem().is_some(), "{json}");
            assert_eq!(serde_json::to_string(&read).expect("JSON"), json);
        }
        let list = serde_json::json!([1]);
        assert_eq!(AttributeKind::List.read(list), None);
    }

    #[test]
    fn texts_and_lists_have_bounds() {
        let text = |n| AttributeValue::Text("x".repeat(n));
        assert_eq!(text(1024).problem(), None);
        assert!(text(1025).problem().is_some());
        assert!(AttributeValue::from("a\0b").problem().is_some());
        let items = |n| AttributeValue::Items(vec!["x".into(); n]);
        assert_eq!(items(100).problem(), None);
        assert!(items(101).problem().is_some());
        assert!(name_problem("").is_some() && name_problem("a\nb").is_some());
        assert_eq!(name_problem(&"é".repeat(64)), None);
    }
}
