//! The test guests as components, built from `tests/guests` by this package's build script: `guests::ECHO` and others.

include!(concat!(env!("OUT_DIR"), "/guests.rs"));
