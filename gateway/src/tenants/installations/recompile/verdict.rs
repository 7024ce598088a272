//! What a failed compilation means: is it the component, for as long as the engine is what it is? Or was it the moment: a
//! machine without memory, a clock that ran on while others had the processor?

use std::time::Duration;

use super::super::SetupError;
use crate::plugin_host::{CompileError, ComponentDigest};

/// How long a refusal by the engine is believed. Another day's look costs one compilation.
const REFUSED_FOR: Duration = Duration::from_hours(24);
/// The same of what failed so often that turns should not wait for it any longer.
const FAILED_FOR: Duration = Duration::from_hours(1);
/// So often it is tried before turns fall back: over ten minutes or so.
const TRIES: i64 = 8;
/// Seconds after the first failure, the second … and from the last on always so. Guesses: memory is short for seconds, as
/// a rule.
const PAUSES: [u64; 7] = [5, 10, 20, 40, 80, 160, 300];

pub(super) enum Verdict {
    /// Nobody need try it for a time, and turns that want it fall back.
    Refused { problem: String, kept: Duration },
    /// Turns that want it wait.
    Later(SetupError),
}

/// `tries`: this one among them.
pub(super) fn of(error: SetupError, tries: i64) -> Verdict {
    let refused = |problem| Verdict::Refused {
        problem,
        kept: REFUSED_FOR,
    };
    match error {
        SetupError::Upload(problems) => refused(problems.join("; ")),
        SetupError::Compile(error) if is_of_the_component(&error) => refused(error.to_string()),
        error if tries >= TRIES => Verdict::Refused {
            problem: format!("it could not be compiled: {error}"),
            kept: FAILED_FOR,
        },
        error => Verdict::Later(error),
    }
}

/// CPU time is the child's own, however busy the machine is; the time on the wall is not.
fn is_of_the_component(error: &CompileError) -> bool {
    match error {
        CompileError::Refused(_)
        | CompileError::CpuTime
        | CompileError::ArtifactSize
        | CompileError::TooLarge => true,
        CompileError::WallTime
        | CompileError::Memory
        | CompileError::Crashed { .. }
        | CompileError::Start(_)
        | CompileError::Talk(_) => false,
    }
}

/// Until the next try, a tenth more or less: digests are spread evenly, so that what failed together does not come back
/// together.
pub(super) fn pause(digest: &ComponentDigest, tries: i64) -> Duration {
    let n = usize::try_from(tries - 1).unwrap_or(0);
    let chance = f64::from(digest.0[n % digest.0.len()]) / 255.0;
    Duration::from_secs(PAUSES[n.min(PAUSES.len() - 1)]).mul_f64(0.9 + 0.2 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(error: CompileError, tries: i64) -> Option<Duration> {
        match of(SetupError::Compile(error), tries) {
            Verdict::Refused { kept, .. } => Some(kept),
            Verdict::Later(_) => None,
        }
    }

    fn moments() -> Vec<CompileError> {
        let io = || std::io::Error::from_raw_os_error(libc::ENOMEM);
        let (status, message) = ("signal: 9".to_owned(), String::new());
        vec![
            CompileError::WallTime,
            CompileError::Memory,
            CompileError::Crashed { status, message },
            CompileError::Start(io()),
            CompileError::Talk(io()),
        ]
    }

    #[test]
    fn what_the_engine_says_of_a_component_is_believed_at_once() {
        for error in [
            CompileError::Refused("no".to_owned()),
            CompileError::CpuTime,
            CompileError::ArtifactSize,
            CompileError::TooLarge,
        ] {
            assert_eq!(refusal(error, 1), Some(REFUSED_FOR));
        }
    }

    #[test]
    fn what_a_busy_machine_does_is_tried_eight_times_and_then_believed_for_an_hour() {
        for tries in [1, TRIES - 1] {
            for error in moments() {
                let told = error.to_string();
                assert_eq!(refusal(error, tries), None, "{told}");
            }
        }
        for error in moments() {
            assert_eq!(refusal(error, TRIES), Some(FAILED_FOR));
        }
    }

    #[test]
    fn pauses_grow_to_five_minutes_and_differ_between_components() {
        let (low, high) = (ComponentDigest([0; 32]), ComponentDigest([255; 32]));
        let mut last = Duration::ZERO;
        for tries in 1..TRIES {
            assert!(pause(&low, tries) > last && pause(&high, tries) > pause(&low, tries));
            last = pause(&high, tries);
        }
        assert_eq!(pause(&high, 1_000), Duration::from_secs(330));
        let all: Duration = (1..TRIES).map(|tries| pause(&low, tries)).sum();
        assert!(
            all > Duration::from_secs(540),
            "turns wait long enough: {all:?}"
        );
    }
}
