//! Uploads that nobody wrote: generated modules as plugins and beside plugins, generated components, real ones with bytes
//! and sections added, taken away and moved. Each ends in a clear verdict, and whatever gets as far as running costs its
//! own turn only.
//!
//! `VESTIBULE_UPLOADS=1500 cargo test -p vestibule-tests --test it -- generated --nocapture` tries 3,000, all of them at a
//! node that serves too.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use vestibule::plugin_host::{
    Abi, CallOutcome, CompileError, CompileLimits, Compiler, Fault, LoadError, inspect,
};
use vestibule_tests::chance::Chance;
use vestibule_tests::{Business, Deployment, Kind, Program, TestDatabase, guests};

use super::compose::{
    IMPORTS, MANIFEST, append_custom_section, append_instances, append_section, componentise_for,
};
use super::stage::{Stage, compiler_within};

/// What is uploaded, with its number and what it is.
type Upload = (u64, &'static str, Vec<u8>);

/// A plugin that answers nothing.
fn plain() -> Vec<u8> {
    let module = format!(
        r#"(module {IMPORTS} (memory (export "memory") 2)
             (func (export "vestibule:plugin/auto-reply@0.1.0#reply") (param $m i32) (param $c i32) (result i32)
               (call $drop-message (local.get $m)) (call $drop-conversation (local.get $c)) (i32.const 2048))
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))"#
    );
    composed(OLDEST, wat::parse_str(module).expect("valid WAT")).expect("a component")
}

/// The first version of the contract.
const OLDEST: &str = "0.1.0";

fn composed(version: &str, module: Vec<u8>) -> Result<Vec<u8>, String> {
    componentise_for(version, module, ["auto-reply"].into_iter(), "", None)
}

fn with_manifest(component: Vec<u8>) -> Vec<u8> {
    with_manifest_of(OLDEST, component)
}

fn with_manifest_of(version: &str, mut component: Vec<u8>) -> Vec<u8> {
    let manifest =
        json!({"name": "test", "version": "1.0.0", "abi": version, "interfaces": ["auto-reply"]});
    append_custom_section(&mut component, MANIFEST, manifest.to_string().as_bytes());
    component
}

/// A core module over this version of the contract as an upload.
fn plugin_of(version: &str, module: Vec<u8>) -> Option<Vec<u8>> {
    let component = composed(version, module).ok()?;
    Some(with_manifest_of(version, component))
}

/// All that the build script generated, in order.
fn generated(plain: &[u8]) -> Vec<Upload> {
    let files = std::fs::read_dir(guests::GENERATED).expect("the build made it");
    let mut made: Vec<Upload> = files
        .filter_map(|file| {
            let path = file.expect("a file").path();
            let number = path.file_stem()?.to_str()?.parse().ok()?;
            let bytes = std::fs::read(&path).expect("readable");
            match path.extension()?.to_str()? {
                "plugin" => Some((number, "plugin", plugin_of(OLDEST, bytes)?)),
                "newest" => Some((number, "newest", plugin_of(Abi::NEWEST.version(), bytes)?)),
                "beside" => {
                    let mut component = plain.to_vec();
                    append_instances(&mut component, &bytes, 1);
                    Some((number, "beside", with_manifest(component)))
                }
                _ => Some((number, "component", with_manifest(bytes))),
            }
        })
        .collect();
    made.sort_by_key(|(number, ..)| *number);
    made
}

/// As many, made of the components that the build compiled.
fn mutated(count: usize, plain: &[u8]) -> Vec<Upload> {
    let plain = with_manifest(plain.to_vec());
    let made = (1_000_000..).take(count).map(|number| {
        let mut chance = Chance::of(number);
        let real = match chance.below(guests::ALL.len() + 1) {
            0 => &plain,
            at => guests::ALL[at - 1].1,
        };
        match number % 2 {
            0 => (number, "bytes", bytes(&mut chance, real)),
            _ => (number, "sections", sections(&mut chance, real)),
        }
    });
    made.collect()
}

/// A few bytes altered, or a stretch of them taken out, said twice or replaced by noise.
fn bytes(chance: &mut Chance, real: &[u8]) -> Vec<u8> {
    let mut bytes = real.to_vec();
    let from = 8 + chance.below(bytes.len() - 8);
    let to = (from + 1 + chance.below(64)).min(bytes.len());
    match chance.below(4) {
        0 => drop(bytes.drain(from..to)),
        1 => drop(bytes.splice(from..from, real[from..to].to_vec())),
        2 => bytes[from..to].copy_from_slice(&chance.bytes(to - from)),
        _ => {
            for _ in 0..=chance.below(4) {
                let at = chance.below(bytes.len());
                bytes[at] ^= 1 << chance.below(8);
            }
        }
    }
    bytes
}

/// Sections of the outermost component moved, said twice, taken out, or one of noise put in.
fn sections(chance: &mut Chance, real: &[u8]) -> Vec<u8> {
    let mut sections = split(real);
    for _ in 0..=chance.below(3) {
        let (one, other) = (chance.below(sections.len()), chance.below(sections.len()));
        match chance.below(4) {
            0 => sections.swap(one, other),
            1 => sections.insert(other, sections[one].clone()),
            2 => drop(sections.remove(one)),
            _ => {
                let length = chance.below(200);
                let noise = (chance.below(13) as u8, chance.bytes(length));
                sections.insert(other, noise);
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
    let mut rest = &component[8..];
    while let Some((id, body)) = rest.split_first() {
        let (mut length, mut bytes) = (0_usize, 0);
        loop {
            let byte = body[bytes];
            length |= usize::from(byte & 127) << (7 * bytes);
            bytes += 1;
            if byte < 128 {
                break;
            }
        }
        let (body, after) = body[bytes..].split_at(length);
        sections.push((*id, body.to_vec()));
        rest = after;
    }
    sections
}

/// How far an upload came, and what stopped it. What inspection refuses is compiled all the same: the child must do with
/// anything.
async fn verdict(compiler: &Compiler, upload: &[u8]) -> Result<String, String> {
    let inspected = inspect(upload);
    let code = match compiler.compile(upload.to_vec()).await {
        Ok(code) => code,
        Err(CompileError::Refused(why)) if !why.is_empty() => {
            return Ok(by("compiler", inspected.is_ok()));
        }
        Err(CompileError::CpuTime | CompileError::Memory | CompileError::ArtifactSize) => {
            return Ok(by("compiler's limits", inspected.is_ok()));
        }
        Err(error) => return Err(format!("compiling: {error}")),
    };
    if inspected.is_err() {
        return Ok("inspection alone".to_owned());
    }
    let stage = match Stage::with_code(upload, &code, json!({})) {
        Ok(stage) => stage,
        Err(LoadError::Artifact(_) | LoadError::Incompatible(_)) => return Ok("loading".to_owned()),
        Err(error) => return Err(format!("loading: {error}")),
    };
    let report = stage.hears("hello").await;
    match &report.calls[..] {
        // What was mutated may export another hook than that of a message.
        [] => Ok("not asked".to_owned()),
        [.., call] => match &call.outcome {
            CallOutcome::Fault(fault @ Fault { kind, .. }) if kind.is_ours() => {
                Err(format!("our fault: {fault}"))
            }
            CallOutcome::Fault(fault) => Ok(format!("ran: {}", fault.kind.name())),
            _ => Ok("ran: ok".to_owned()),
        },
    }
}

fn by(part: &str, passed_inspection: bool) -> String {
    let first = if passed_inspection {
        ""
    } else {
        "inspection and "
    };
    format!("{first}{part}")
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "for whoever runs many")]
async fn generated_uploads_end_in_clear_verdicts() {
    let (plain, compiler) = (plain(), compiler_within(limits()));
    let mut uploads = generated(&plain);
    assert!(uploads.len() >= 100, "{} of wasm-smith", uploads.len());
    uploads.extend(mutated(uploads.len(), &plain));
    let compiler = &compiler;
    let verdicts = futures::stream::iter(uploads).map(|(number, kind, upload)| async move {
        (number, kind, verdict(compiler, &upload).await)
    });
    let verdicts: Vec<_> = verdicts.buffer_unordered(2).collect().await;
    let mut counts = BTreeMap::<_, usize>::new();
    let mut unclear = Vec::new();
    for (number, kind, verdict) in verdicts {
        match verdict {
            Ok(verdict) => *counts.entry((kind, verdict)).or_default() += 1,
            Err(error) => unclear.push(format!("{number} ({kind}): {error}")),
        }
    }
    println!("{counts:#?}");
    assert!(unclear.is_empty(), "{}", unclear.join("\n"));
    // They reach every part of the way, so that their silence means something.
    for part in ["inspection alone", "compiler", "ran: ok", "ran: trap"] {
        let reached = counts.keys().any(|(_, verdict)| verdict == part);
        assert!(reached, "{part}: {counts:?}");
    }
    // And those of the newest contract run as those of the first do.
    let ran = |kind| {
        counts
            .keys()
            .any(|(of, verdict)| *of == kind && verdict.starts_with("ran"))
    };
    assert!(ran("plugin") && ran("newest"), "{counts:?}");
}

/// Uploads that are under way at a node at a time: what a tenant may.
const AT_ONCE: usize = 4;

/// Of how many made uploads one goes to the node, and how many at most: all, where somebody asked for many.
#[allow(
    clippy::disallowed_methods,
    reason = "a developer's wish for one run, as cargo's own"
)]
fn served() -> (usize, usize) {
    match std::env::var_os("VESTIBULE_UPLOADS") {
        Some(_) => (1, usize::MAX),
        None => (8, 25),
    }
}

/// The same by the API of a process that serves: in words, and it lives.
#[tokio::test]
#[allow(clippy::print_stdout, reason = "for whoever runs many")]
async fn a_node_answers_generated_uploads_in_words_and_goes_on() {
    let database = TestDatabase::fresh(Kind::Sqlite).await.expect("SQLite");
    let deployment = Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9")
        .with("plugins.uploads_per_tenant", "100000")
        .with("api.requests_per_minute", "60000");
    Business::new(1, 1, 80).onboard(&deployment, "node").await;
    let made = ["key", "add", "--operator", "--json"];
    let made: Value =
        serde_json::from_str(&deployment.run("node", &made, &[]).await).expect("JSON");
    let key = made["key"].as_str().expect("shown once");
    let mut node = deployment.start("node").await;
    let client = reqwest::Client::builder().build().expect("a client");
    let url = format!("http://{}/api/v1/", node.http());
    let tenants = client.get(format!("{url}tenants")).bearer_auth(key);
    let tenants: Value = tenants
        .send()
        .await
        .expect("sent")
        .json()
        .await
        .expect("JSON");
    let tenant = tenants["items"][0]["id"].as_str().expect("an id");
    let send = async |upload: Vec<u8>| {
        let request = client.post(format!("{url}plugins?tenant={tenant}"));
        let request = request
            .bearer_auth(key)
            .header("content-type", "application/wasm");
        let answer = request.body(upload).send().await.expect("answered");
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.expect("JSON"))
    };
    let plain = plain();
    let made = generated(&plain);
    let (every, most) = served();
    let mutated = mutated(made.len().max(40), &plain);
    let uploads = made.into_iter().chain(mutated).step_by(every).take(most);
    let send = &send;
    let answers = futures::stream::iter(uploads)
        .map(async |(number, kind, upload)| (number, kind, send(upload).await));
    let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
    let mut counts = BTreeMap::<_, usize>::new();
    for (number, kind, (status, body)) in answers {
        let clear = status == 201 || (status == 422 && body["errors"][0]["detail"].is_string());
        assert!(clear, "{number} ({kind}): {status} {body}");
        *counts.entry((kind, status)).or_default() += 1;
    }
    println!("{counts:#?}");
    assert_eq!(send(guests::ECHO.to_vec()).await.0, 201);
    assert!(node.terminate().await.success());
}
