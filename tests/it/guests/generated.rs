//! Uploads that nobody wrote: generated modules as plugins, generated components, real ones with bytes, sections and
//! modules added, taken away and moved. Each ends in a clear verdict, and whatever gets as far as running costs its own
//! turn only.
//!
//! `VESTIBULE_UPLOADS=5000 cargo test -p vestibule-tests --test it generated -- --nocapture` tries as many as you like.

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::Unstructured;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::json;
use vestibule::plugin_host::{
    CallOutcome, CompileError, CompileLimits, Compiler, Fault, LoadError, inspect,
};
use vestibule_tests::guests;
use wasm_smith::{Component, Config, Module};

use super::compose::{
    IMPORTS, MANIFEST, append_custom_section, append_instances, append_section, componentise,
};
use super::stage::{Stage, compiler_within};

/// What a plugin of one hook imports and exports, as a core module.
fn shape() -> Vec<u8> {
    let module = format!(
        r#"(module {IMPORTS} (memory (export "memory") 2)
             (func (export "vestibule:plugin/auto-reply@0.1.0#reply") (param i32 i32) (result i32) (i32.const 2048))
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))"#
    );
    wat::parse_str(module).expect("valid WAT")
}

/// A generator of uploads: the same number makes the same upload.
struct Generator {
    shape: Vec<u8>,
    plain: Vec<u8>,
}

impl Generator {
    fn new() -> Self {
        let shape = shape();
        let plain =
            componentise(shape.clone(), ["auto-reply"].into_iter(), "").expect("a component");
        Self { shape, plain }
    }

    /// `None`: chance did not suffice for an upload.
    fn upload(&self, number: u64) -> Option<(&'static str, Vec<u8>)> {
        let mut chance = ChaCha8Rng::seed_from_u64(number);
        let made = match number % 6 {
            0 | 1 => ("plugin", self.plugin(&mut chance, number % 12 < 6)?),
            2 => ("further module", self.with_module(&mut chance)?),
            3 => ("component", component(&mut chance)?),
            4 => ("bytes", bytes(&mut chance, &self.real(number))),
            _ => ("sections", sections(&mut chance, &self.real(number))),
        };
        Some(made)
    }

    /// Chance as a plugin: the contract's imports and a hook, around generated code.
    fn plugin(&self, chance: &mut ChaCha8Rng, fitting: bool) -> Option<Vec<u8>> {
        let config = Config {
            module_shape: Some(self.shape.clone()),
            ..config(fitting)
        };
        let module = Module::new(config, &mut Unstructured::new(&noise(chance))).ok()?;
        let component = componentise(module.to_bytes(), ["auto-reply"].into_iter(), "").ok()?;
        Some(with_manifest(component))
    }

    /// A well-behaved plugin beside a module that begins to run with it.
    fn with_module(&self, chance: &mut ChaCha8Rng) -> Option<Vec<u8>> {
        let config = Config {
            max_imports: 0,
            ..config(true)
        };
        let module = Module::new(config, &mut Unstructured::new(&noise(chance))).ok()?;
        let mut component = self.plain.clone();
        append_instances(&mut component, &module.to_bytes(), 1);
        Some(with_manifest(component))
    }

    /// A component that the build made, or the small one.
    fn real(&self, number: u64) -> Vec<u8> {
        match (number / 6) as usize % (guests::ALL.len() + 1) {
            0 => with_manifest(self.plain.clone()),
            at => guests::ALL[at - 1].1.to_vec(),
        }
    }
}

/// What the engine offers, or what wasm has.
fn config(fitting: bool) -> Config {
    let all = Config::default();
    Config {
        exceptions_enabled: !fitting,
        gc_enabled: !fitting,
        relaxed_simd_enabled: !fitting,
        tail_call_enabled: !fitting,
        threads_enabled: !fitting,
        max_instructions: 1_000,
        ..all
    }
}

fn component(chance: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let component = Component::new(config(true), &mut Unstructured::new(&noise(chance))).ok()?;
    Some(with_manifest(component.to_bytes()))
}

fn noise(chance: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![0; 4 << 10];
    chance.fill_bytes(&mut bytes);
    bytes
}

fn with_manifest(mut component: Vec<u8>) -> Vec<u8> {
    let manifest =
        json!({"name": "test", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"]});
    append_custom_section(&mut component, MANIFEST, manifest.to_string().as_bytes());
    component
}

fn below(chance: &mut ChaCha8Rng, end: usize) -> usize {
    (chance.next_u64() % end.max(1) as u64) as usize
}

/// A few bytes altered, or a stretch of them taken out, said twice or replaced by noise.
fn bytes(chance: &mut ChaCha8Rng, real: &[u8]) -> Vec<u8> {
    let mut bytes = real.to_vec();
    let from = 8 + below(chance, bytes.len() - 8);
    let to = (from + 1 + below(chance, 64)).min(bytes.len());
    match below(chance, 4) {
        0 => drop(bytes.drain(from..to)),
        1 => drop(bytes.splice(from..from, real[from..to].to_vec())),
        2 => chance.fill_bytes(&mut bytes[from..to]),
        _ => {
            for _ in 0..=below(chance, 4) {
                let at = below(chance, bytes.len());
                bytes[at] ^= 1 << below(chance, 8);
            }
        }
    }
    bytes
}

/// Sections of the outermost component moved, said twice, taken out, or one of noise put in.
fn sections(chance: &mut ChaCha8Rng, real: &[u8]) -> Vec<u8> {
    let mut sections = split(real);
    for _ in 0..=below(chance, 3) {
        let (one, other) = (below(chance, sections.len()), below(chance, sections.len()));
        match below(chance, 4) {
            0 => sections.swap(one, other),
            1 => sections.insert(other, sections[one].clone()),
            2 => drop(sections.remove(one)),
            _ => {
                let noise = noise(chance);
                let length = below(chance, 200);
                sections.insert(other, (below(chance, 13) as u8, noise[..length].to_vec()));
            }
        }
    }
    let mut component = real[..8].to_vec();
    for (id, body) in sections {
        append_section(&mut component, id, &body);
    }
    component
}

/// The outermost component's sections: id and body.
fn split(component: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut sections = Vec::new();
    let mut at = 8;
    while at < component.len() {
        let id = component[at];
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            at += 1;
            length |= usize::from(component[at] & 127) << shift;
            shift += 7;
            if component[at] < 128 {
                break;
            }
        }
        at += 1;
        sections.push((id, component[at..at + length].to_vec()));
        at += length;
    }
    sections
}

/// How far an upload came, and what stopped it.
async fn verdict(compiler: &Compiler, upload: &[u8]) -> Result<String, String> {
    if inspect(upload).is_err() {
        return Ok("inspection".to_owned());
    }
    let code = match compiler.compile(upload.to_vec()).await {
        Ok(code) => code,
        Err(CompileError::Refused(why)) if !why.is_empty() => return Ok("compiler".to_owned()),
        Err(CompileError::CpuTime | CompileError::Memory | CompileError::ArtifactSize) => {
            return Ok("compiler's limits".to_owned());
        }
        Err(error) => return Err(error.to_string()),
    };
    let stage = match Stage::with_code(upload, &code, json!({})) {
        Ok(stage) => stage,
        Err(LoadError::Artifact(_) | LoadError::Incompatible(_)) => return Ok("loading".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let report = stage.hears("hello").await;
    match &report.calls[0].outcome {
        CallOutcome::Fault(Fault { kind, .. }) if kind.is_ours() => Err(format!("{report:?}")),
        CallOutcome::Fault(fault) if !report.effects.is_empty() => Err(format!("{fault}: effects")),
        CallOutcome::Fault(fault) => Ok(format!("ran: {}", fault.kind.name())),
        _ => Ok("ran: ok".to_owned()),
    }
}

/// What each may take: a small part of what an upload of a tenant may.
fn limits() -> CompileLimits {
    CompileLimits {
        memory: 1 << 30,
        cpu: Duration::from_secs(10),
        at_once: 2,
        ..CompileLimits::default()
    }
}

#[allow(clippy::disallowed_methods, reason = "how many, for whoever asks")]
fn asked() -> u64 {
    let asked = std::env::var("VESTIBULE_UPLOADS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "for whoever runs many")]
async fn generated_uploads_end_in_clear_verdicts() {
    use futures::StreamExt;
    let (generator, compiler) = (Generator::new(), compiler_within(limits()));
    let (generator, compiler) = (&generator, &compiler);
    let verdicts = futures::stream::iter(0..asked()).map(|number| async move {
        let (kind, upload) = generator.upload(number)?;
        Some((number, kind, verdict(compiler, &upload).await))
    });
    let verdicts: Vec<_> = verdicts.buffer_unordered(4).collect().await;
    let mut counts = BTreeMap::<_, usize>::new();
    let mut unclear = Vec::new();
    for (number, kind, verdict) in verdicts.into_iter().flatten() {
        match verdict {
            Ok(verdict) => *counts.entry((kind, verdict)).or_default() += 1,
            Err(error) => unclear.push(format!("{number} ({kind}): {error}")),
        }
    }
    println!("{counts:#?}");
    assert!(unclear.is_empty(), "{}", unclear.join("\n"));
    // The generator reaches every part of the way, so that its silence means something.
    for part in ["inspection", "compiler", "ran: ok"] {
        assert!(
            counts.keys().any(|(_, verdict)| verdict == part),
            "{part}: {counts:?}"
        );
    }
}
