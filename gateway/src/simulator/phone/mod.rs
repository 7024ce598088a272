//! The phone page: a customer's phone in the browser, and what `vestibule demo` tells beside it.
//!
//! `page` is the document (assembled from `page/*`), `feed` what comes live over server-sent events, `story` what a
//! gateway in the same process says about its own work, `watch` the wake-up of open pages. What people do on the page
//! goes through the control API like everybody else's calls.

mod feed;
mod page;
mod story;
mod watch;

pub(super) use feed::feed;
pub(super) use page::{SECURITY, document};
pub(super) use story::Stories;
pub use story::{Step, Story};
pub(super) use watch::Watch;
