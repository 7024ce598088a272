//! The schema's defaults, filled into settings that do not say otherwise.
//!
//! A `default` is taken where a reader of the schema would look for it: at a member of `properties`, in the object that
//! stands in the settings; through `items`, `prefixItems`, `allOf` and references within the schema (`#`, `#/…`). It is
//! taken as it is written, nothing is filled into it. An object that is not there is not made, and alternatives
//! (`anyOf`, `oneOf`, `if`) are not looked into: which of them is meant is not known yet.

use serde_json::{Map, Value};

use super::problems::problem;
use super::{SETTINGS_BYTES, SettingsProblem};

/// Fills `settings`. Fails when they become larger than settings may be.
pub(super) fn fill(
    schema: &Value,
    settings: &mut Map<String, Value>,
) -> Result<(), SettingsProblem> {
    let mut filling = Filling {
        root: schema,
        room: SETTINGS_BYTES,
    };
    let mut whole = Value::Object(std::mem::take(settings));
    let filled = filling
        .take(&whole)
        .and_then(|()| filling.fill(schema, &mut whole));
    if let Value::Object(whole) = whole {
        *settings = whole;
    }
    filled.map_err(|Full| {
        let text = format!("with the defaults they have more than {SETTINGS_BYTES} bytes");
        problem("", &text)
    })
}

struct Filling<'s> {
    root: &'s Value,
    /// Bytes that may still be written.
    room: usize,
}

struct Full;

impl<'s> Filling<'s> {
    fn fill(&mut self, schema: &'s Value, value: &mut Value) -> Result<(), Full> {
        let schemas = self.applied(schema);
        match value {
            Value::Object(members) => self.fill_members(&schemas, members),
            Value::Array(items) => self.fill_items(&schemas, items),
            _ => Ok(()),
        }
    }

    fn fill_members(
        &mut self,
        schemas: &[&'s Value],
        members: &mut Map<String, Value>,
    ) -> Result<(), Full> {
        let properties = schemas
            .iter()
            .filter_map(|schema| schema.get("properties")?.as_object());
        let properties: Vec<(&String, &Value)> = properties.flatten().collect();
        let mut given: Vec<_> = properties.clone();
        given.retain(|(name, _)| members.contains_key(*name));
        for (name, schema) in properties {
            if members.contains_key(name) {
                continue;
            }
            let schemas = self.applied(schema);
            if let Some(default) = schemas.iter().find_map(|schema| schema.get("default")) {
                self.take(default)?;
                members.insert(name.clone(), default.clone());
            }
        }
        for (name, schema) in given {
            if let Some(member) = members.get_mut(name) {
                self.fill(schema, member)?;
            }
        }
        Ok(())
    }

    fn fill_items(&mut self, schemas: &[&'s Value], items: &mut [Value]) -> Result<(), Full> {
        for schema in schemas {
            let prefix = schema.get("prefixItems").and_then(Value::as_array);
            let prefix = prefix.map_or(&[][..], Vec::as_slice);
            for (index, item) in items.iter_mut().enumerate() {
                let of_item = prefix.get(index).or_else(|| schema.get("items"));
                of_item.map_or(Ok(()), |schema| self.fill(schema, item))?;
            }
        }
        Ok(())
    }

    /// A schema and all that it says beside itself about the same value, each once: so a circle of references ends.
    fn applied(&self, schema: &'s Value) -> Vec<&'s Value> {
        let mut applied = vec![schema];
        let mut next = 0;
        while let Some(&schema) = applied.get(next) {
            next += 1;
            let referred = schema.get("$ref").and_then(Value::as_str);
            let referred = referred.and_then(|reference| self.referred(reference));
            let all_of = schema.get("allOf").and_then(Value::as_array);
            for more in referred.into_iter().chain(all_of.into_iter().flatten()) {
                if !applied.iter().any(|known| std::ptr::eq(*known, more)) {
                    applied.push(more);
                }
            }
        }
        applied
    }

    fn referred(&self, reference: &str) -> Option<&'s Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn take(&mut self, value: &Value) -> Result<(), Full> {
        let left = self.room.checked_sub(value.to_string().len());
        self.room = left.ok_or(Full)?;
        Ok(())
    }
}
