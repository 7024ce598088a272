//! A statement that is looked at without being run.

use sqlx_core::column::ColumnIndex;
use sqlx_core::error::Error;
use sqlx_core::sql_str::SqlStr;

use super::row::named;
use super::{Arguments, Column, Embedded, Kind};

#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sql: SqlStr,
    pub(super) parameters: usize,
    pub(super) columns: Vec<Column>,
}

impl sqlx_core::statement::Statement for Statement {
    type Database = Embedded;

    fn into_sql(self) -> SqlStr {
        self.sql
    }

    fn sql(&self) -> &SqlStr {
        &self.sql
    }

    fn parameters(&self) -> Option<sqlx_core::Either<&[Kind], usize>> {
        Some(sqlx_core::Either::Right(self.parameters))
    }

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    sqlx_core::impl_statement_query!(Arguments);
}

impl ColumnIndex<Statement> for &'_ str {
    fn index(&self, statement: &Statement) -> Result<usize, Error> {
        named(&statement.columns, self)
    }
}
