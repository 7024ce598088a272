//! The contract of plugins: released folders stay as they are, `wit/next` grows by the rules, and components of every
//! released version run.

mod evolution;
mod frozen;
mod shape;
mod versions;
