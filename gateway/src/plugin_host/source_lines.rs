//! From where a trap was to the lines of its source, for a component that carries DWARF: what `plugin trace` shows.
//!
//! The journal keeps where in the component's bytes each frame stood. File and line are looked up when somebody reads the
//! trace: whoever never does pays nothing. Debug sections are a stranger's bytes, whose format is a program for a small
//! machine, so [`answer`] runs in the limited child; [`question`] and [`verdict`] are the parent's.

use std::ops::Range;

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, LittleEndian};
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use super::child_process::ChildError;
use super::words;

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// As its language names it; none where only lines are carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    pub file: String,
    pub line: u32,
}

/// Why there are no lines.
#[derive(Debug, thiserror::Error)]
pub enum SourceLinesError {
    #[error("the component's debug information does not read: {0}")]
    Malformed(String),
    #[error("reading the component's debug information takes more {0} than it may")]
    TooMuch(&'static str),
    /// Ours, not theirs.
    #[error("the process that reads debug information failed: {0}")]
    Process(String),
}

/// Frames of one question.
const FRAMES: usize = 64;
/// Functions that were inlined into each other at one place. A guess: iterators of Rust reach a dozen.
const INLINED: usize = 16;
/// Characters of a function's or a file's name.
const NAME_CHARS: usize = 200;
/// Bytes of the child's input beside the component.
pub(super) const QUESTION_BYTES: usize = FRAMES * 24;

/// Does the component carry what [`answer`] reads? Its machine code is then compiled with a map back to its bytes.
pub(super) fn are_carried(component: &[u8]) -> bool {
    modules(component).is_ok_and(|modules| {
        let named = |module: &Module<'_>| module.section(".debug_line").is_some();
        modules.iter().any(named)
    })
}

/// The child's input: the offsets as JSON on a line, then the component.
pub(super) fn question(component: &[u8], offsets: &[u64]) -> Vec<u8> {
    let offsets = &offsets[..offsets.len().min(FRAMES)];
    let mut input = serde_json::to_vec(offsets).expect("JSON can be written");
    input.push(b'\n');
    input.extend_from_slice(component);
    input
}

/// The child's whole work: for each offset the lines that it comes from, innermost inlined function first. May never
/// return.
pub(super) fn answer(input: &[u8]) -> Result<Vec<u8>, String> {
    let line = input.iter().position(|&byte| byte == b'\n');
    let (offsets, component) = input.split_at(line.ok_or("no offsets")?);
    let offsets: Vec<u64> = serde_json::from_slice(offsets).map_err(|error| error.to_string())?;
    let modules = modules(&component[1..]).map_err(|error| error.to_string())?;
    let mut told = vec![Vec::new(); offsets.len()];
    for module in &modules {
        let mut within = (offsets.iter().zip(&mut told))
            .filter_map(|(&at, told)| Some((usize::try_from(at).ok()?, told)))
            .filter(|(at, _)| module.code.contains(at))
            .peekable();
        if within.peek().is_some() {
            let context = module.context().map_err(|error| error.to_string())?;
            for (at, told) in within {
                // DWARF counts from the start of the code section.
                let address = (at - module.code.start) as u64;
                *told = lines(&context, address).map_err(|error| error.to_string())?;
            }
        }
    }
    serde_json::to_vec(&told).map_err(|error| error.to_string())
}

/// The parent's reading of what the child said.
pub(super) fn verdict(
    said: Result<Vec<u8>, ChildError>,
) -> Result<Vec<Vec<SourceLine>>, SourceLinesError> {
    let process = |why: String| SourceLinesError::Process(why);
    match said {
        Ok(json) => serde_json::from_slice(&json).map_err(|error| process(error.to_string())),
        Err(ChildError::CpuTime | ChildError::WallTime) => Err(SourceLinesError::TooMuch("time")),
        Err(ChildError::Memory | ChildError::OutputSize) => {
            Err(SourceLinesError::TooMuch("memory"))
        }
        Err(ChildError::Stack) => Err(SourceLinesError::TooMuch("stack")),
        Err(ChildError::Refused(why)) => Err(SourceLinesError::Malformed(why)),
        Err(ChildError::Crashed { status, message }) => {
            Err(process(format!("{status}: {message}")))
        }
        Err(ChildError::Start(error) | ChildError::Talk(error)) => Err(process(error.to_string())),
    }
}

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// A core module within the component: where its code stands, and its debug sections.
#[derive(Default)]
struct Module<'a> {
    code: Range<usize>,
    sections: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Module<'a> {
    fn section(&self, name: &str) -> Option<&'a [u8]> {
        let mut sections = self.sections.iter();
        sections.find_map(|(found, data)| (*found == name).then_some(*data))
    }

    fn context(&self) -> Result<Context<Slice<'a>>, gimli::Error> {
        let load = |id: gimli::SectionId| {
            let data = self.section(id.name()).unwrap_or(&[]);
            Ok::<_, gimli::Error>(EndianSlice::new(data, LittleEndian))
        };
        Context::from_dwarf(Dwarf::load(load)?)
    }
}

/// Every core module with code, in no particular order.
fn modules(component: &[u8]) -> wasmparser::Result<Vec<Module<'_>>> {
    let (mut open, mut done) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                open.push(Module::default());
            }
            Payload::End(_) => done.extend(open.pop()),
            Payload::CodeSectionStart { range, .. } => {
                if let Some(module) = open.last_mut() {
                    module.code = range;
                }
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                if let Some(module) = open.last_mut() {
                    module.sections.push((section.name(), section.data()));
                }
            }
            _ => {}
        }
    }
    done.retain(|module| !module.code.is_empty());
    Ok(done)
}

fn lines(context: &Context<Slice<'_>>, address: u64) -> Result<Vec<SourceLine>, gimli::Error> {
    let mut frames = context.find_frames(address).skip_all_loads()?;
    let mut lines = Vec::new();
    while lines.len() < INLINED
        && let Some(frame) = frames.next()?
    {
        let function = frame.function.as_ref();
        let function = function.and_then(|function| function.raw_name().ok());
        let place = frame.location.and_then(|at| Some((at.file?, at.line?)));
        if let Some((file, line)) = place {
            lines.push(SourceLine {
                function: function.map(|name| demangled(&name)),
                file: words::shown(file, NAME_CHARS),
                line,
            });
        }
    }
    Ok(lines)
}

fn demangled(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    words::shown(&name, NAME_CHARS)
}

#[cfg(test)]
mod tests;
