//! The tenant's settings of an installation, against the JSON Schema in the plugin's manifest.
//!
//! Both are a stranger's: a schema can ask for more work than the universe has time for (references that double, values
//! that are compared each with each). So [`question`] and [`verdict`] are the parent's, who only writes and reads JSON of
//! bounded size, and [`answer`] is the limited child's, who may run out of memory, time or stack. Nothing is ever
//! fetched: a schema stands in its manifest whole.
//!
//! Defaults of the schema are filled in first ([`defaults`] says which), then everything is checked, and what fits is what
//! the plugin gets to see.

mod defaults;
mod problems;
mod schema;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::child_process::ChildError;
use super::limits::SETTINGS_BYTES;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SettingsProblem {
    /// JSON pointer into the settings or the schema; empty for the whole.
    pub pointer: String,
    pub problem: String,
}

/// Why settings are not taken.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The tenant's to put right.
    #[error("the settings do not fit the plugin:{}", listed(.0))]
    Misfit(Vec<SettingsProblem>),
    /// The plugin author's: whatever the tenant says cannot be judged by it.
    #[error("the plugin's `config_schema` is no usable JSON Schema:{}", listed(.0))]
    Schema(Vec<SettingsProblem>),
    #[error("the settings have more than {SETTINGS_BYTES} bytes")]
    TooLarge,
    /// A schema that doubles itself, or settings that make an ordinary one do so.
    #[error(
        "checking the settings against the plugin's `config_schema` takes more {0} than it may"
    )]
    TooMuch(&'static str),
    /// Ours, not theirs.
    #[error("the process that checks settings failed: {0}")]
    Process(String),
}

impl SettingsError {
    /// Is it for whoever asked to put right?
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Process(_))
    }
}

fn listed(problems: &[SettingsProblem]) -> String {
    problems.iter().fold(String::new(), |mut text, found| {
        let place = match found.pointer.as_str() {
            "" => "(top)",
            pointer => pointer,
        };
        let _ = write!(text, "\n  {place}: {}", found.problem);
        text
    })
}

/// What the child says, as JSON.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// The settings with the schema's defaults filled in.
    Fit(Map<String, Value>),
    Misfit(Vec<SettingsProblem>),
    Schema(Vec<SettingsProblem>),
}

/// Settings that are larger are not even looked at.
pub(super) fn check_size(settings: &Map<String, Value>) -> Result<(), SettingsError> {
    let bytes = serde_json::to_string(settings).map_or(usize::MAX, |json| json.len());
    if bytes > SETTINGS_BYTES {
        return Err(SettingsError::TooLarge);
    }
    Ok(())
}

/// The child's input: two JSON texts, so that neither is nested deeper than it was written.
pub(super) fn question(schema: &Value, settings: &Map<String, Value>) -> Vec<u8> {
    let settings = serde_json::to_string(settings).expect("JSON can be written");
    format!("{schema}\n{settings}").into_bytes()
}

/// The parent's reading of what the child said.
pub(super) fn verdict(
    said: Result<Vec<u8>, ChildError>,
) -> Result<Map<String, Value>, SettingsError> {
    let answer = match said {
        Ok(json) => {
            serde_json::from_slice(&json).map_err(|e| SettingsError::Process(e.to_string()))
        }
        Err(error) => Err(of_child(error)),
    };
    match answer? {
        Answer::Fit(settings) => Ok(settings),
        Answer::Misfit(problems) => Err(SettingsError::Misfit(problems)),
        Answer::Schema(problems) => Err(SettingsError::Schema(problems)),
    }
}

fn of_child(error: ChildError) -> SettingsError {
    match error {
        ChildError::CpuTime | ChildError::WallTime => SettingsError::TooMuch("time"),
        ChildError::Memory | ChildError::OutputSize => SettingsError::TooMuch("memory"),
        ChildError::Stack => SettingsError::TooMuch("stack"),
        ChildError::Refused(why) => SettingsError::Process(why),
        ChildError::Crashed { status, message } => {
            SettingsError::Process(format!("{status}: {message}"))
        }
        ChildError::Start(error) | ChildError::Talk(error) => {
            SettingsError::Process(error.to_string())
        }
    }
}

/// The thread that follows schema and settings into their depth. A guess: a manifest full of references that lead from
/// one to the next needs some 10 MiB.
const STACK: usize = 64 << 20;

/// The child's whole work. May never return.
pub(super) fn answer(input: &[u8]) -> Result<Vec<u8>, String> {
    let mut texts = serde_json::Deserializer::from_slice(input).into_iter::<Value>();
    let (Some(Ok(schema)), Some(Ok(Value::Object(settings)))) = (texts.next(), texts.next()) else {
        return Err("the input is not a schema and settings".to_owned());
    };
    let check = move || serde_json::to_vec(&check(&schema, settings));
    let checked = std::thread::Builder::new().stack_size(STACK).spawn(check);
    let checked = checked.map_err(|error| error.to_string())?.join();
    let json = checked.map_err(|_| "checking panicked".to_owned())?;
    json.map_err(|error| error.to_string())
}

fn check(schema: &Value, mut settings: Map<String, Value>) -> Answer {
    let checked = match schema::Checked::new(schema) {
        Ok(checked) => checked,
        Err(problems) => return Answer::Schema(problems),
    };
    if let Err(problem) = defaults::fill(schema, &mut settings) {
        return Answer::Misfit(vec![problem]);
    }
    match checked.judge(&Value::Object(settings.clone())) {
        Ok(()) => Answer::Fit(settings),
        Err(schema::Misfit::Settings(problems)) => Answer::Misfit(problems),
        Err(schema::Misfit::Schema(problems)) => Answer::Schema(problems),
    }
}
