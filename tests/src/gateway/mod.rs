//! The real gateway as processes of its own: deployments, nodes that can be killed, onboarding by the command line.
//!
//! A [`Deployment`] is what outlives its processes: the database, the keys, the settings, the program. [`GatewayProcess`]
//! is one node of it, driven and watched from outside; [`InProcessNode`] is one inside the test, with a clock to move.

mod business;
mod deployment;
mod in_process;
mod node;
mod settle;

pub use business::{Business, BusinessNumber};
pub use deployment::{Deployment, KEYS, Program};
pub use in_process::InProcessNode;
pub use node::GatewayProcess;
pub use settle::{Pending, settle};
