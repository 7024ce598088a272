//! Looks at an upload before anything compiles it: its structure, its imports and exports, its manifest.
//!
//! Reads headers and sections only, in one pass over bytes of limited length, with counters that stop it. Whether the
//! code is valid is for the compiling child to find out, where a mistake of the validator costs nothing.

use wasmparser::{Parser, Payload};

use super::abi::Abi;
use super::abi::wasi::{self, Wasi};
use super::hook::{Hook, HookSet};
use super::limits::{COMPONENT_BYTES, INSTANCES, MANIFEST_BYTES, MAX_MEMORY, REASON_CHARS};
use super::manifest::{Manifest, ManifestError, SECTION};
use super::words::shown;

/// What an upload is.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    pub manifest: Manifest,
    /// The hooks that it exports.
    pub hooks: HookSet,
    /// Functions over all its modules.
    pub functions: usize,
    /// Bytes of its initial data.
    pub data_bytes: usize,
}

/// Everything that is wrong with an upload, in the order in which it was met.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InspectErrors {
    pub problems: Vec<InspectError>,
    /// What the upload says of itself, where that is in order: whoever looks further may find more that is wrong.
    pub manifest: Option<Box<Manifest>>,
}

impl From<InspectError> for InspectErrors {
    fn from(error: InspectError) -> Self {
        Self {
            problems: vec![error],
            manifest: None,
        }
    }
}

/// Why an upload is refused, for its author.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("larger than {COMPONENT_BYTES} bytes")]
    TooLarge,
    #[error("a core module, not a component: turn it into one with `vestibule plugin build`")]
    CoreModule,
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    #[error("imports `{0}`, which this host does not have")]
    UnknownImport(String),
    #[error(
        "imports `{0}`: a plugin has no sockets and no wasi:http. Build it without them (jco: `--disable http \
         fetch-event`, componentize-py: `--stub-wasi`) and ask others by `vestibule:plugin/http` (docs/plugins.md)"
    )]
    Network(String),
    #[error(
        "imports `{0}`: of WASI this host has 0.2, and of that no more than docs/plugins.md lists"
    )]
    OtherWasi(String),
    #[error("exports no hook of vestibule:plugin@{0}")]
    NoHook(Abi),
    #[error("its manifest says ABI {claimed}, and it has `{found}`: build it against one version")]
    OtherVersion { claimed: String, found: String },
    #[error("the manifest claims the hooks {claimed}, the component exports {exported}")]
    OtherHooks { claimed: String, exported: String },
    #[error("has more than {most} {what}")]
    TooMany { what: &'static str, most: usize },
    #[error("has {0} in a component within the component: link everything into one")]
    Nested(&'static str),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Components within components, and modules within those.
const DEPTH: usize = 8;
/// CPython has 30,000.
const FUNCTIONS: usize = 100_000;
/// Bytes of one function: compiling takes more than linear time in it. SpiderMonkey's longest has 200,000.
const FUNCTION_BYTES: usize = 1 << 20;
/// Types, imports, exports, aliases … of all modules and components.
const ITEMS: usize = 200_000;

/// Inspects an upload. Takes time linear in its length and allocates next to nothing.
///
/// What is wrong is collected; only what makes the rest unreadable or too much ends the look.
pub fn inspect(component: &[u8]) -> Result<Inspection, InspectErrors> {
    if component.len() > COMPONENT_BYTES {
        return Err(InspectError::TooLarge.into());
    }
    if Parser::is_core_wasm(component) {
        return Err(InspectError::CoreModule.into());
    }
    let mut survey = Survey::default();
    for payload in Parser::new(0).parse_all(component) {
        let read = payload
            .map_err(not_a_component)
            .and_then(|payload| survey.read(&payload));
        if let Err(error) = read {
            survey.problems.push(error);
            return Err(survey.refused());
        }
    }
    survey.conclude()
}

fn not_a_component(error: wasmparser::BinaryReaderError) -> InspectError {
    InspectError::NotAComponent(shown(&error.to_string(), REASON_CHARS))
}

#[derive(Default)]
struct Survey {
    depth: usize,
    modules: usize,
    functions: usize,
    items: usize,
    data_bytes: usize,
    memory_bytes: u64,
    hooks: Vec<Hook>,
    /// What it imports and exports of the contract, in full, with the version.
    used: Vec<String>,
    manifest: Option<Manifest>,
    /// There is one, good or not.
    has_manifest: bool,
    problems: Vec<InspectError>,
}

/// More problems than this tell nobody more.
const PROBLEMS: usize = 100;

impl Survey {
    fn complain(&mut self, problem: InspectError) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn read(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        if self.depth > 0
            && let Some(what) = code_of_a_component(payload)
        {
            self.complain(InspectError::Nested(what));
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.enter()?,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CustomSection(section) if self.depth == 0 && section.name() == SECTION => {
                if let Err(error) = self.read_manifest(section.data()) {
                    self.complain(error.into());
                }
            }
            Payload::ComponentImportSection(imports) if self.depth == 0 => {
                for import in imports.clone() {
                    let name = import.map_err(not_a_component)?.name.name;
                    match check_import(name) {
                        Ok(true) => self.used.push(name.to_owned()),
                        Ok(false) => {}
                        Err(error) => self.complain(error),
                    }
                }
            }
            Payload::ComponentExportSection(exports) if self.depth == 0 => {
                for export in exports.clone() {
                    let name = export.map_err(not_a_component)?.name.name;
                    if let Some(hook) = hook_of(name) {
                        self.hooks.push(hook);
                        self.used.push(name.to_owned());
                    }
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                self.functions += *count as usize;
                at_most("functions", self.functions, FUNCTIONS)?;
            }
            Payload::CodeSectionEntry(body) => {
                at_most("bytes in one function", body.range().len(), FUNCTION_BYTES)?;
            }
            Payload::DataSection(data) => self.data_bytes += data.range().len(),
            Payload::MemorySection(memories) => self.read_memories(memories)?,
            other => self.count_items(other)?,
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<(), InspectError> {
        self.depth += 1;
        self.modules += 1;
        at_most("levels of nesting", self.depth, DEPTH)?;
        at_most("modules", self.modules, INSTANCES)
    }

    fn read_manifest(&mut self, section: &[u8]) -> Result<(), ManifestError> {
        if std::mem::replace(&mut self.has_manifest, true) {
            return Err(ManifestError::Several);
        }
        if section.len() > MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        self.manifest = Some(Manifest::parse(section)?);
        Ok(())
    }

    /// What a component asks for from the start, it would ask for in every turn.
    fn read_memories(
        &mut self,
        memories: &wasmparser::MemorySectionReader<'_>,
    ) -> Result<(), InspectError> {
        for memory in memories.clone() {
            let pages = memory.map_err(not_a_component)?.initial;
            self.memory_bytes = self
                .memory_bytes
                .saturating_add(pages.saturating_mul(65_536));
        }
        let bytes = usize::try_from(self.memory_bytes).unwrap_or(usize::MAX);
        at_most("bytes of initial memory", bytes, MAX_MEMORY)
    }

    fn count_items(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        self.items += match payload {
            Payload::TypeSection(section) => section.count() as usize,
            Payload::ImportSection(section) => section.count() as usize,
            Payload::ExportSection(section) => section.count() as usize,
            Payload::GlobalSection(section) => section.count() as usize,
            Payload::TableSection(section) => section.count() as usize,
            Payload::ElementSection(section) => section.count() as usize,
            Payload::InstanceSection(section) => section.count() as usize,
            Payload::CoreTypeSection(section) => section.count() as usize,
            Payload::ComponentInstanceSection(section) => section.count() as usize,
            Payload::ComponentAliasSection(section) => section.count() as usize,
            Payload::ComponentTypeSection(section) => section.count() as usize,
            Payload::ComponentCanonicalSection(section) => section.count() as usize,
            _ => 0,
        };
        at_most("items", self.items, ITEMS)
    }

    fn conclude(mut self) -> Result<Inspection, InspectErrors> {
        let hooks: HookSet = self.hooks.iter().copied().collect();
        if !self.has_manifest {
            self.complain(ManifestError::Missing.into());
        }
        let claimed = self.manifest.as_ref().map(|manifest| manifest.abi.clone());
        // The manifest was checked: there is no other version.
        let abi = claimed.as_deref().and_then(Abi::from_version);
        let other = claimed.and_then(|claimed| {
            let differs = |name: &&String| Abi::version_in(name) != Some(claimed.as_str());
            let other = self.used.iter().find(differs).cloned();
            other.map(|found| (claimed, found))
        });
        if let Some((claimed, found)) = other {
            self.complain(InspectError::OtherVersion { claimed, found });
        } else if hooks.is_empty() {
            self.complain(InspectError::NoHook(abi.unwrap_or(Abi::NEWEST)));
        }
        let claimed = self.manifest.as_ref().map(Manifest::hooks);
        if let Some(claimed) = claimed.filter(|claimed| *claimed != hooks && !hooks.is_empty()) {
            self.complain(InspectError::OtherHooks {
                claimed: claimed.to_string(),
                exported: hooks.to_string(),
            });
        }
        match self.manifest {
            Some(manifest) if self.problems.is_empty() => Ok(Inspection {
                manifest,
                hooks,
                functions: self.functions,
                data_bytes: self.data_bytes,
            }),
            manifest => {
                self.manifest = manifest;
                Err(self.refused())
            }
        }
    }

    fn refused(self) -> InspectErrors {
        InspectErrors {
            problems: self.problems,
            manifest: self.manifest.map(Box::new),
        }
    }
}

/// What only the outermost component may have.
///
/// Between two components that both have code wasmtime generates adapters, and what those copy and transcode costs no
/// fuel and never yields: two siblings that pass a text to and fro would own a guest thread. (Today its compiler panics
/// over most of them, because multi-memory is off; that is an accident and no message for an author.) The components
/// that toolchains nest only give interfaces their names and types.
fn code_of_a_component(payload: &Payload<'_>) -> Option<&'static str> {
    match payload {
        Payload::ModuleSection { .. } => Some("a module"),
        Payload::InstanceSection(_) => Some("an instance of a module"),
        Payload::ComponentCanonicalSection(_) => Some("a lifted or lowered function"),
        Payload::ComponentStartSection { .. } => Some("a start function"),
        _ => None,
    }
}

fn at_most(what: &'static str, n: usize, most: usize) -> Result<(), InspectError> {
    if n > most {
        return Err(InspectError::TooMany { what, most });
    }
    Ok(())
}

/// Answers whether the import is one of the contract's interfaces.
fn check_import(name: &str) -> Result<bool, InspectError> {
    let shown = || shown(name, REASON_CHARS);
    match wasi::known(name) {
        Some(Wasi::Here) => return Ok(false),
        Some(Wasi::Network) => return Err(InspectError::Network(shown())),
        Some(Wasi::Unknown) => return Err(InspectError::OtherWasi(shown())),
        None => {}
    }
    match Abi::of_interface(name) {
        Some((abi, interface)) if abi.imports().contains(&interface) => Ok(true),
        _ => Err(InspectError::UnknownImport(shown())),
    }
}

fn hook_of(name: &str) -> Option<Hook> {
    let (abi, interface) = Abi::of_interface(name)?;
    Hook::from_name(interface).filter(|hook| abi.hooks().contains(hook))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Guest, append_custom_section};
    use super::*;

    fn refusal(component: &[u8]) -> String {
        inspect(component).expect_err("refused").to_string()
    }

    #[test]
    fn hooks_are_found_by_exports() {
        let guest = Guest::replying("").hook(Hook::Routing, "");
        let inspection = inspect(&guest.component()).expect("fits");
        assert_eq!(inspection.hooks.to_string(), "routing, auto-reply");
        assert_eq!(inspection.manifest.name, "test");
        assert!(inspection.functions >= 3);
    }

    #[test]
    fn a_claim_that_is_not_true_is_refused() {
        let guest = Guest::replying("").claiming(&["auto-reply", "routing"]);
        let why = refusal(&guest.component());
        assert_eq!(
            why,
            "the manifest claims the hooks routing, auto-reply, the component exports auto-reply"
        );
    }

    #[test]
    fn imports_beyond_the_contract_are_refused_by_name() {
        for import in [
            "wasi:cli/environment@0.3.0",
            "wasi:http/outgoing-handler@0.2.6",
            "vestibule:plugin/http@0.1.0",
            "vestibule:plugin/log@0.3.1",
            "vestibule:plugin/log@0.4.0",
        ] {
            let wat = format!("(component (import {import:?} (instance)))");
            let component = wat::parse_str(wat).expect("valid WAT");
            assert!(refusal(&component).contains(import));
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let manifest = r#"{"name":"Echo","version":"1","abi":"0.1.0","interfaces":["auto-reply"],"grants":["moon"]}"#;
        let wat = format!(
            "(component (import \"wasi:sockets/tcp@0.2.6\" (instance)) (import \"env\" (func)) (component (core module))
            (@custom \"vestibule:manifest\" {manifest:?}))"
        );
        let component = wat::parse_str(wat).expect("valid WAT");
        let told = refusal(&component);
        for problem in [
            "wasi:sockets/tcp",
            "`env`",
            "a module in a component",
            "`name`",
            "`version`",
            "no grant `moon`",
            "exports no hook",
        ] {
            assert!(told.contains(problem), "{problem}: {told}");
        }
    }

    #[test]
    fn a_core_module_is_told_what_to_do() {
        assert!(refusal(b"\0asm\x01\0\0\0").contains("core module"));
    }

    #[test]
    fn a_missing_or_second_manifest_is_refused() {
        let bare = wat::parse_str("(component)").expect("valid WAT");
        assert!(refusal(&bare).contains("no custom section"));
        let mut twice = Guest::replying("").component();
        append_custom_section(&mut twice, SECTION, b"{}");
        assert!(refusal(&twice).contains("more than one"));
    }

    #[test]
    fn too_much_of_anything_is_refused() {
        let deep = "(component ".repeat(12) + &")".repeat(12);
        let many = format!("(component {})", "(core module)".repeat(100));
        let memory = "(component (core module (memory 2000)))".to_owned();
        for (wat, what) in [
            (deep, "nesting"),
            (many, "modules"),
            (memory, "initial memory"),
        ] {
            let component = wat::parse_str(&wat).expect("valid WAT");
            assert!(refusal(&component).contains(what));
        }
        assert!(refusal(&vec![0; COMPONENT_BYTES + 1]).contains("larger"));
    }

    /// Two siblings that pass a text to and fro: each copy is work that wasmtime's fuel does not see.
    const PING_PONG: &str = r#"(component
        (component $pong
          (core module $m
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
            (func (export "take") (param i32 i32)))
          (core instance $i (instantiate $m))
          (alias core export $i "memory" (core memory $memory))
          (alias core export $i "realloc" (core func $realloc))
          (alias core export $i "take" (core func $take))
          (func (export "take") (param "text" string)
            (canon lift (core func $take) (memory $memory) (realloc $realloc))))
        (component $ping
          (import "take" (func $take (param "text" string)))
          (core module $memory (memory (export "memory") 1))
          (core instance $i (instantiate $memory))
          (alias core export $i "memory" (core memory $m))
          (core func $lowered (canon lower (func $take) (memory $m)))
          (core module $loop
            (import "pong" "take" (func $take (param i32 i32)))
            (func $start (loop (call $take (i32.const 0) (i32.const 65536)) (br 0)))
            (start $start))
          (core instance (instantiate $loop (with "pong" (instance (export "take" (func $lowered)))))))
        (instance $b (instantiate $pong))
        (alias export $b "take" (func $take))
        (instance (instantiate $ping (with "take" (func $take)))))"#;

    #[test]
    fn code_in_nested_components_is_refused() {
        let wat = |parts: &str| wat::parse_str(parts).expect("valid WAT");
        assert!(refusal(&wat(PING_PONG)).contains("a module in a component within the component"));
        let lowers =
            "(component (component (import \"f\" (func $f)) (core func (canon lower (func $f)))))";
        assert!(refusal(&wat(lowers)).contains("a lifted or lowered function"));
        let instantiates = "(component (core module $m)
            (component (alias outer 1 0 (core module $n)) (core instance (instantiate $n))))";
        assert!(refusal(&wat(instantiates)).contains("an instance of a module"));
    }

    #[test]
    fn no_damaged_component_panics() {
        let component = Guest::replying("").component();
        for len in (0..component.len()).step_by(7) {
            assert!(inspect(&component[..len]).is_err(), "cut at {len}");
        }
        for at in 0..component.len() {
            let mut damaged = component.clone();
            damaged[at] ^= 0x5a;
            // Some damage is invisible here (in code, in names); the compiler sees it.
            let _ = inspect(&damaged);
        }
    }
}
