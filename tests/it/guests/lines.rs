//! Debug information of a component that was tampered with: the process that reads it answers in lines or in words, and
//! never falls. That a panic is told with its line, `turns/replay.rs` shows.

use std::ops::Range;
use std::path::PathBuf;

use vestibule::plugin_host::{CompileLimits, Compiler, SourceLinesError};
use vestibule_tests::chance::Chance;
use vestibule_tests::guests;
use wasmparser::{Parser, Payload};

fn compiler() -> Compiler {
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_vestibule-under-test"));
    Compiler::new(exe, CompileLimits::default())
}

/// Where the guest's code stands, and its debug sections.
fn places(component: &[u8]) -> (Range<usize>, Vec<Range<usize>>) {
    let (mut code, mut debug) = (0..0, Vec::new());
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("a component") {
            // Adapters have little of it.
            Payload::CodeSectionStart { range, .. } if range.len() > code.len() => code = range,
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                debug.push(section.data_offset()..section.range().end);
            }
            _ => {}
        }
    }
    (code, debug)
}

#[tokio::test]
async fn tampered_debug_information_ends_in_lines_or_words() {
    let (code, debug) = places(guests::TRAP_WITH_LINES);
    let step = code.len() / 20;
    let offsets: Vec<u64> = code.step_by(step).map(|at| at as u64).collect();
    let compiler = compiler();
    let sound = compiler.source_lines(guests::TRAP_WITH_LINES, &offsets);
    let sound = sound.await.expect("nothing is wrong with it");
    let lines: Vec<_> = sound.iter().flatten().collect();
    assert!(
        lines.len() > 10 && lines.iter().all(|at| at.line > 0),
        "{lines:?}"
    );
    for round in 0..24 {
        let mut chance = Chance::of(round);
        let mut component = guests::TRAP_WITH_LINES.to_vec();
        for section in &debug {
            // From a byte here and there to every other one.
            let changes = section.len() >> (1 + round % 12);
            for _ in 0..changes.max(1) {
                let at = section.start + chance.below(section.len());
                component[at] = chance.word() as u8;
            }
        }
        match compiler.source_lines(&component, &offsets).await {
            Ok(lines) => assert_eq!(lines.len(), offsets.len()),
            Err(SourceLinesError::Process(why)) => panic!("round {round}: {why}"),
            Err(SourceLinesError::Malformed(_) | SourceLinesError::TooMuch(_)) => {}
        }
    }
}
