//! The values that a statement is given.

use rusqlite::types::Value as Raw;
use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::types::Type;

use super::Embedded;

#[derive(Debug, Default)]
pub struct Arguments(pub(super) Vec<Raw>);

impl sqlx_core::arguments::Arguments for Arguments {
    type Database = Embedded;

    fn reserve(&mut self, additional: usize, _size: usize) {
        self.0.reserve(additional);
    }

    fn add<'t, T>(&mut self, value: T) -> Result<(), BoxDynError>
    where
        T: Encode<'t, Embedded> + Type<Embedded>,
    {
        if let IsNull::Yes = value.encode(&mut self.0)? {
            self.0.push(Raw::Null);
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
