//! SQLite for sqlx, called as the library that it is: a statement runs on the thread that asks for it.
//!
//! sqlx's own driver hands every statement to a thread of the connection's and its rows back, which was a third of a
//! turn's CPU (docs/performance.md); it still runs the migrations. This one is what sqlx asks of a driver, around
//! `rusqlite`. Writing and small reads run where they are asked for: [`super::WriterGate`] lets one writer in at a time,
//! so that no more than one thread of the runtime waits for the disk. Reading that may take long goes to tokio's
//! blocking threads ([`Place`]).

mod arguments;
mod connection;
mod error;
mod flush;
mod pool;
mod row;
mod run;
mod statement;
#[cfg(test)]
mod tests;
mod value;

use sqlx_core::database::Database;

pub use arguments::Arguments;
pub use connection::{Connection, Options, Place};
pub use error::is_unflushed;
#[cfg(test)]
pub use error::unflushed;
pub use pool::{Loan, Pool};
pub use row::{Column, Row};
pub use run::Done;
pub use statement::Statement;
pub use value::{Kind, Value, ValueRef};

/// The name by which sqlx knows the driver.
#[derive(Debug)]
pub struct Embedded;

impl Database for Embedded {
    type Connection = Connection;
    type TransactionManager = connection::Transactions;
    type Row = Row;
    type QueryResult = Done;
    type Column = Column;
    type TypeInfo = Kind;
    type Value = Value;
    type ValueRef<'r> = ValueRef<'r>;
    type Arguments = Arguments;
    type ArgumentBuffer = Vec<rusqlite::types::Value>;
    type Statement = Statement;

    const NAME: &'static str = "SQLite";
    const URL_SCHEMES: &'static [&'static str] = &["sqlite"];
}

sqlx_core::impl_into_arguments_for_arguments!(Arguments);
sqlx_core::impl_column_index_for_row!(Row);
sqlx_core::impl_column_index_for_statement!(Statement);
sqlx_core::impl_encode_for_option!(Embedded);
