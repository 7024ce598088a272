//! Who may ask: API keys, the people they belong to, roles and narrow scopes. What each may do stands in
//! `api/permissions.rs`; what is done is checked there before any handler runs.
//!
//! The command line and the API make and end keys by the same functions here.

pub mod keys;
mod principal;
mod role;
mod scope;
mod token;
pub mod users;

pub use principal::{Grant, Principal};
pub use role::Role;
pub use scope::{Scope, ScopeKind};
pub use token::{Token, TokenError, shown_once};
