//! Guests that mean harm, each the smallest that does. `tests/it/guests/README.md` lists every kind with its test.

mod borders;
mod calling;
mod handles;
mod linking;
mod names;
mod reading;
mod wasi;

use super::*;

/// Does `step` (of `$i`, from 0) so many times.
fn times(n: u32, step: &str) -> String {
    format!(
        "(local.set $i (i32.const 0)) (loop {step}
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if 0 (i32.lt_u (local.get $i) (i32.const {n}))))"
    )
}

/// Traps unless the last call answered an error of this case (of a variant with 4-byte alignment).
fn refused_as(case: u32) -> String {
    format!(
        "(if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
         (if (i32.ne (i32.load8_u (i32.const 1028)) (i32.const {case})) (then unreachable))"
    )
}

/// Traps unless the last call answered ok.
const TAKEN: &str = "(if (i32.load8_u (i32.const 1024)) (then unreachable))";

/// The guest faults, the fault is its own, and whoever comes next is served.
async fn faults(guest: Guest, kind: FaultKind) -> String {
    let host = host();
    let report = run(&host, guest).await;
    let fault = only_fault(&report).clone();
    assert_eq!(fault.kind, kind, "{fault}");
    assert_eq!(texts(&run(&host, well_behaved()).await), ["hi"]);
    fault.message
}
