//! A row and its columns.

use std::sync::Arc;

use rusqlite::types::Value as Raw;
use sqlx_core::column::ColumnIndex;
use sqlx_core::error::Error;

use super::{Embedded, Kind, ValueRef};

#[derive(Debug, Clone)]
pub struct Column {
    pub(super) ordinal: usize,
    pub(super) name: String,
}

#[derive(Debug)]
pub struct Row {
    pub(super) columns: Arc<[Column]>,
    pub(super) values: Vec<Raw>,
}

/// The column of this name, of which there are never more than a few dozen.
pub(super) fn named(columns: &[Column], name: &str) -> Result<usize, Error> {
    columns
        .iter()
        .position(|column| column.name == name)
        .ok_or_else(|| Error::ColumnNotFound(name.to_owned()))
}

impl sqlx_core::column::Column for Column {
    type Database = Embedded;

    fn ordinal(&self) -> usize {
        self.ordinal
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// SQLite's values have types, its columns have none.
    fn type_info(&self) -> &Kind {
        &Kind::Null
    }
}

impl sqlx_core::row::Row for Row {
    type Database = Embedded;

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn try_get_raw<I>(&self, index: I) -> Result<ValueRef<'_>, Error>
    where
        I: ColumnIndex<Self>,
    {
        Ok(ValueRef(&self.values[index.index(self)?]))
    }
}

impl ColumnIndex<Row> for &'_ str {
    fn index(&self, row: &Row) -> Result<usize, Error> {
        named(&row.columns, self)
    }
}
