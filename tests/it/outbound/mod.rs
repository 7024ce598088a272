//! Everything that can be sent, on its whole way: the draft is cleared, Graph's body is accepted by the simulator (which
//! reads Meta's rules for itself), and receipts settle the row.

mod media;
mod round_trip;
mod samples;
mod street;
mod templates;
mod two_readings;
