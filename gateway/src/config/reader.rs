//! Takes keys out of the merged layers one by one, and keeps a list of everything that is wrong.

use std::collections::BTreeSet;

use figment::Figment;
use figment::value::{Dict, Value};

use super::Problem;
use super::setting::Setting;

pub(super) struct Reader<'a> {
    figment: &'a Figment,
    known: BTreeSet<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(figment: &'a Figment) -> Self {
        Self {
            figment,
            known: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// The value of a key, or `None` and a problem.
    pub(super) fn get<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        self.known.insert(key);
        let value = match self.figment.find_value(key) {
            Ok(value) => value,
            Err(_) => {
                self.complain(key, "is missing".to_owned());
                return None;
            }
        };
        T::from_value(&value)
            .map_err(|what| self.complain(key, what))
            .ok()
    }

    pub(super) fn complain(&mut self, key: &str, what: String) {
        self.problems.push(Problem {
            origin: self.origin(key),
            key: key.to_owned(),
            what,
        });
    }

    fn origin(&self, key: &str) -> String {
        let value = self.figment.find_value(key).ok();
        value
            .and_then(|value| self.figment.get_metadata(value.tag()))
            .map_or_else(|| "nowhere".to_owned(), |source| source.name.to_string())
    }

    /// Complains about every key that nobody has asked for.
    pub(super) fn refuse_unknown_keys(&mut self) {
        let all: Dict = self.figment.extract().unwrap_or_default();
        let mut keys = Vec::new();
        leaves("", &all, &mut keys);
        for key in keys {
            if !self.known.contains(key.as_str()) {
                self.complain(&key, "is not a key that Vestibule knows".to_owned());
            }
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

fn leaves(prefix: &str, dict: &Dict, keys: &mut Vec<String>) {
    for (name, value) in dict {
        let key = match prefix {
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => leaves(&key, inner, keys),
            _ => keys.push(key),
        }
    }
}
