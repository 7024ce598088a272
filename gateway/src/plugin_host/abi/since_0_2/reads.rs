//! `reads`: what the grants that only read have in common.

use super::bindings::vestibule::plugin::reads::ReadError;
use crate::plugin_host::reads::ReadRefused;

impl From<ReadRefused> for ReadError {
    fn from(refused: ReadRefused) -> Self {
        match refused {
            ReadRefused::Denied => Self::Denied,
            ReadRefused::Invalid(what) => Self::Invalid(what),
            ReadRefused::Quota(what) => Self::Quota(what),
            ReadRefused::Unavailable(why) => Self::Unavailable(why),
        }
    }
}
