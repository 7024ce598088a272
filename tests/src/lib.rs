//! The test harness: throw-away databases, the real gateway, the simulator, and how to wait without sleeping.
//!
//! The tests themselves are modules of the one integration binary, `tests/it`. Every test gets a database of its own on
//! each kind; nothing here is shared between tests but the PostgreSQL cluster.

pub mod browser;
pub mod chance;
pub mod db;
pub mod gateway;
pub mod guests;
pub mod load;
pub mod manifest;
pub mod postgres;
pub mod process;
pub mod setup;
pub mod tls;
pub mod town;
pub mod wait;

pub use browser::Browser;
pub use db::{Kind, TestDatabase, for_each_database};
pub use gateway::{Business, Deployment, GatewayProcess, InProcessNode, Program, settle};
pub use setup::keys_in;
pub use wait::until;
