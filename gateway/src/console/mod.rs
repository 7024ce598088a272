//! Pages for people in a browser, made on the server, without a script.

mod join;
mod rate;

pub use join::{Joining, routes};
