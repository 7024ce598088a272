//! The contract of plugins: released folders stay as they are, `wit/next` grows by the rules, and components of every
//! released version run. Every item of it says what it is.

mod documented;
mod evolution;
mod frozen;
mod open;
mod shape;
mod told;
mod versions;
