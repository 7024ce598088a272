//! The attributes of contacts that a tenant has defined, and values that are of their kinds.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::TenantId;
pub use crate::domain::attribute::AttributeKind as Kind;
use crate::storage::{Result, Tx, contacts};

/// The attributes of a tenant.
#[derive(Debug, Default)]
pub struct Definitions(BTreeMap<String, Kind>);

impl Definitions {
    pub async fn read(tx: &mut Tx, tenant: TenantId) -> Result<Self> {
        let rows = contacts::definitions(tx, tenant).await?;
        let known = rows
            .into_iter()
            .filter_map(|(name, word)| Some((name, Kind::from_word(&word)?)));
        Ok(Self(known.collect()))
    }

    pub fn list(self) -> Vec<(String, Kind)> {
        self.0.into_iter().collect()
    }

    /// Puts values into what a contact has; `null` takes one out. Everything that is wrong, by name.
    pub(super) fn put(
        &self,
        has: &mut Map<String, Value>,
        values: &Map<String, Value>,
    ) -> Vec<(String, &'static str)> {
        let mut problems = Vec::new();
        for (name, value) in values {
            match self.0.get(name) {
                None => problems.push((name.clone(), "is no attribute that is defined")),
                Some(_) if value.is_null() => {
                    has.remove(name);
                }
                Some(kind) => match kind.complaint(value) {
                    Some(complaint) => problems.push((name.clone(), complaint)),
                    None => {
                        has.insert(name.clone(), value.clone());
                    }
                },
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_must_be_of_their_kind_and_null_takes_them_out() {
        let known = [
            ("city", Kind::Text),
            ("orders", Kind::Number),
            ("birthday", Kind::Date),
            ("vip", Kind::Boolean),
            ("likes", Kind::List),
        ];
        let known = Definitions(known.map(|(name, kind)| (name.to_owned(), kind)).into());
        let object = |value: Value| value.as_object().cloned().expect("an object");
        let mut has = object(json!({"city": "Rome", "vip": false}));
        let good = object(json!({
            "city": null, "orders": 3.5, "birthday": "1990-02-28", "vip": true, "likes": ["tea"],
        }));
        assert_eq!(known.put(&mut has, &good), []);
        let expected =
            json!({"orders": 3.5, "birthday": "1990-02-28", "vip": true, "likes": ["tea"]});
        assert_eq!(Value::Object(has.clone()), expected);
        let bad = object(json!({
            "city": 1, "orders": "3", "birthday": "1990-02-30", "vip": "yes", "likes": [1], "shoe": 44,
        }));
        let names: Vec<String> = known.put(&mut has, &bad).into_iter().map(|p| p.0).collect();
        assert_eq!(
            names,
            ["birthday", "city", "likes", "orders", "shoe", "vip"]
        );
        assert_eq!(Value::Object(has), expected);
    }
}
