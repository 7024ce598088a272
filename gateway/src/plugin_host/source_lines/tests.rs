//! Debug sections of a stranger: whatever they hold, reading them ends in lines or in words. Real ones: `guests/lines.rs`
//! of the tests.

use super::super::testing::{append_custom_section, append_section};
use super::*;

/// A component with one module of one function, and these sections in it.
fn component(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let module = wat::parse_str("(module (func (export \"f\") nop unreachable))");
    let mut module = module.expect("valid WAT");
    for (name, data) in sections {
        append_custom_section(&mut module, name, data);
    }
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    append_section(&mut component, 1, &module);
    component
}

fn asked(component: &[u8]) -> Result<Vec<Vec<SourceLine>>, String> {
    let code = modules(component).expect("it parses")[0].code.clone();
    let offsets: Vec<u64> = code.map(|at| at as u64).collect();
    let said = answer(&question(component, &offsets))?;
    let told: Vec<Vec<SourceLine>> = serde_json::from_slice(&said).expect("JSON");
    assert_eq!(told.len(), offsets.len());
    Ok(told)
}

#[test]
fn a_component_without_debug_information_has_no_lines() {
    let plain = component(&[]);
    assert!(!are_carried(&plain) && !are_carried(b"nonsense"));
    assert!(are_carried(&component(&[(".debug_line", b"?")])));
    let told = asked(&plain).expect("nothing is wrong");
    assert!(told.iter().all(Vec::is_empty));
}

#[test]
fn offsets_outside_of_the_code_have_no_lines() {
    let said = answer(&question(&component(&[]), &[0, 1, u64::MAX]));
    assert_eq!(said.as_deref(), Ok(b"[[],[],[]]".as_slice()));
    assert!(answer(b"no line").is_err() && answer(b"[1]\nno component").is_err());
}

#[test]
fn more_frames_than_a_fault_has_are_not_looked_at() {
    let question = question(&[], &[u64::MAX; 2 * FRAMES]);
    assert!(question.len() <= QUESTION_BYTES, "{}", question.len());
}

/// A unit whose abbreviations say what follows, then chance.
#[test]
fn garbage_is_no_panic() {
    let mut drawn: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut chance = |length: usize| -> Vec<u8> {
        let byte = |_| {
            drawn ^= drawn << 13;
            drawn ^= drawn >> 7;
            drawn ^= drawn << 17;
            (drawn >> 32) as u8
        };
        (0..length).map(byte).collect()
    };
    for round in 0..500 {
        let (noise, line) = (chance(40 + round % 60), chance(200));
        // A whole unit of DWARF 4: its length, version, abbreviations at 0, addresses of 4 bytes.
        let mut info = (noise.len() as u32 + 7).to_le_bytes().to_vec();
        info.extend([4, 0, 0, 0, 0, 0, 4, 1]);
        info.extend(&noise[1..]);
        // Code 1 is a compile unit with a name, its lines, where it starts and ends; then chance.
        let mut abbrev = vec![1, 0x11, 1, 3, 8, 0x10, 0x17, 0x11, 1, 0x12, 6, 0, 0];
        abbrev.extend(chance(60));
        let sections = [
            (".debug_info", info.as_slice()),
            (".debug_abbrev", &abbrev),
            (".debug_line", &line),
            (".debug_str", &noise),
            (".debug_ranges", &line),
        ];
        // Lines or words; what matters is that it comes back.
        let _ = asked(&component(&sections));
    }
}
