//! Uploads that are not what their names say: other types under the contract's names, host interfaces exported as hooks,
//! more instances than there may be, cut and damaged components.

use super::super::super::child;
use super::super::super::limits::INSTANCES;
use super::super::super::manifest::SECTION;
use super::*;

/// A hand-written component with a manifest that claims `auto-reply`.
fn upload(wat: &str) -> Vec<u8> {
    let mut component = wat::parse_str(wat).expect("valid WAT");
    let manifest = r#"{"name":"test","version":"1.0.0","abi":"0.1.0","interfaces":["auto-reply"]}"#;
    append_custom_section(&mut component, SECTION, manifest.as_bytes());
    component
}

/// It passes inspection, and one of the two that come after refuses it.
fn refused(host: &PluginHost, component: &[u8]) -> bool {
    inspect(component).expect("passes");
    child::compile(component).is_err() || load(host, component).is_err()
}

const HOOK: &str = "vestibule:plugin/auto-reply@0.1.0";

/// An instance that exports `reply` of no parameters.
const WRONG_HOOK: &str = r#"
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (instance $hook (export "reply" (func $f)))"#;

#[tokio::test]
async fn a_hook_of_another_type_does_not_load() {
    let host = host();
    let component = upload(&format!(
        "(component {WRONG_HOOK} (export {HOOK:?} (instance $hook)))"
    ));
    assert!(matches!(
        load(&host, &component),
        Err(LoadError::Incompatible(_))
    ));
}

#[tokio::test]
async fn a_hook_that_is_a_function_or_an_empty_instance_does_not_load() {
    let host = host();
    for body in [
        format!("{WRONG_HOOK} (export {HOOK:?} (func $f))"),
        format!("(instance $hook) (export {HOOK:?} (instance $hook))"),
    ] {
        assert!(
            refused(&host, &upload(&format!("(component {body})"))),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_host_interface_passed_on_as_a_hook_does_not_load() {
    let host = host();
    let component = upload(&format!(
        r#"(component (import "vestibule:plugin/clock@0.1.0" (instance $clock (export "now" (func (result u64)))))
            (export {HOOK:?} (instance $clock)))"#
    ));
    // Today the compiler says so already.
    assert!(refused(&host, &component));
}

#[tokio::test]
async fn a_host_interface_of_another_type_does_not_load() {
    let host = host();
    for import in [
        r#""vestibule:plugin/clock@0.1.0" (instance (export "now" (func (result u32))))"#,
        r#""vestibule:plugin/clock@0.1.0" (instance (export "then" (func (result u64))))"#,
        r#""vestibule:plugin/clock@0.1.0" (instance (export "now" (func (param "x" u8) (result u64))))"#,
        r#""vestibule:plugin/config@0.1.0" (instance (export "all" (func (result (list u8)))))"#,
        r#""vestibule:plugin/kv@0.1.0" (instance (export "message" (type (sub resource))))"#,
    ] {
        let component = upload(&format!(
            "(component (import {import}) {WRONG_HOOK} (export {HOOK:?} (instance $hook)))"
        ));
        assert!(
            matches!(load(&host, &component), Err(LoadError::Incompatible(_))),
            "{import}"
        );
    }
}

#[test]
fn imports_that_only_look_like_the_contracts_are_refused() {
    for import in [
        "wasi:cli/environment@0.3.0",
        "wasi:sockets/tcp@0.2.6",
        "wasi:http/outgoing-handler@0.2.0",
        "vestibule:plugin/log@0.1.1",
        "vestibule:plugin/log@0.1.0-rc.1",
        "vestibule:plugin/log",
        "vestibule:plugin/auto-reply@0.1.0",
        "vestibule:plugins/log@0.1.0",
        "vestibule:plugin/timers@0.1.0",
        "log",
    ] {
        let wat = format!("(component (import {import:?} (instance)))");
        let why = inspect(&wat::parse_str(wat).expect("valid WAT")).expect_err("refused");
        assert!(why.to_string().contains(import), "{why}");
    }
    for import in [
        r#"(import "f" (func))"#,
        r#"(import "m" (core module))"#,
        r#"(import "c" (component))"#,
        r#"(import "t" (type (sub resource)))"#,
    ] {
        let wat = format!("(component {import})");
        assert!(
            inspect(&wat::parse_str(wat).expect("valid WAT")).is_err(),
            "{import}"
        );
    }
}

#[test]
fn what_is_no_component_is_told_so() {
    let module = wat::parse_str("(module)").expect("valid WAT");
    for bytes in [
        &b""[..],
        b"\0",
        b"\0asm",
        b"\0asm\x0d\0\x01",
        b"\0asm\x02\0\0\0",
        b"\0asm\x0d\0\x02\0",
        b"\x7fELF\x02\x01\x01\0",
        b"#!/bin/sh\n",
        &module,
        &[0xff; 64],
    ] {
        assert!(inspect(bytes).is_err(), "{bytes:?}");
    }
}

#[tokio::test]
async fn instances_to_the_instance() {
    let host = host();
    let empty = wat::parse_str("(module)").expect("valid WAT");
    // What turns a module into a component needs three.
    let of = |instances: usize| {
        let mut component = well_behaved().component();
        append_instances(&mut component, &empty, instances - 3);
        component
    };
    let plugin = load(&host, &of(INSTANCES)).expect("fits");
    assert_eq!(texts(&run_bound(&host, binding(&plugin)).await), ["hi"]);
    assert!(matches!(
        load(&host, &of(INSTANCES + 1)),
        Err(LoadError::Artifact(_))
    ));
}

#[tokio::test]
async fn memories_share_one_limit_and_three_do_not_load() {
    let host = host();
    let memory =
        |pages: usize| wat::parse_str(format!("(module (memory {pages}))")).expect("valid WAT");
    let of = |pages, instances| {
        let mut component = well_behaved().component();
        append_instances(&mut component, &memory(pages), instances);
        component
    };
    // Two pages are the guest's own, and a table of a few elements.
    let pages = Limits::default().memory / 65_536;
    let plugin = load(&host, &of(pages - 3, 1)).expect("fits");
    assert_eq!(texts(&run_bound(&host, binding(&plugin)).await), ["hi"]);
    let plugin = load(&host, &of(pages - 1, 1)).expect("fits");
    let report = run_bound(&host, binding(&plugin)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Memory);
    assert!(matches!(
        load(&host, &of(1, 2)),
        Err(LoadError::Artifact(_))
    ));
}

#[tokio::test]
async fn a_memory_larger_than_any_may_be_does_not_get_in() {
    let host = host();
    let large = wat::parse_str("(module (memory 1025))").expect("valid WAT");
    let mut component = well_behaved().component();
    append_instances(&mut component, &large, 1);
    assert!(inspect(&component).is_err());
    let table = wat::parse_str("(module (table 4000000 funcref))").expect("valid WAT");
    let mut component = well_behaved().component();
    append_instances(&mut component, &table, 1);
    match load(&host, &component) {
        Err(LoadError::Artifact(_)) => {}
        Ok(plugin) => {
            let report = run_bound(&host, binding(&plugin)).await;
            assert_eq!(only_fault(&report).kind, FaultKind::Memory);
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_the_engine_does_not_offer_does_not_compile() {
    for module in [
        "(module (memory i64 1))",
        "(module (memory 1 1 shared))",
        "(module (memory 1) (memory 1))",
        "(module (func $f (return_call $f)))",
        "(module (tag))",
        "(module (type (struct)))",
        "(module (type $c (cont 0)))",
        "(module (func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    ] {
        let Ok(module) = wat::parse_str(module) else {
            continue;
        };
        let mut component = well_behaved().component();
        append_section(&mut component, 1, &module);
        assert!(child::compile(&component).is_err());
    }
}

#[test]
fn a_component_cut_anywhere_is_refused_though_its_manifest_comes_first() {
    let plain = well_behaved().without_manifest();
    let manifest = inspect(&well_behaved().component()).expect("fits").manifest;
    let manifest = serde_json::to_vec(&manifest).expect("JSON");
    let mut whole = plain[..8].to_vec();
    append_custom_section(&mut whole, SECTION, &manifest);
    let head = whole.len();
    whole.extend_from_slice(&plain[8..]);
    inspect(&whole).expect("fits");
    for sixteenth in 0..16 {
        let cut = head + (whole.len() - head) * sixteenth / 16;
        let refused = inspect(&whole[..cut]).is_err() || child::compile(&whole[..cut]).is_err();
        assert!(refused, "cut at {cut} of {}", whole.len());
    }
}

#[tokio::test]
async fn an_artifact_for_other_bytes_or_another_engine_is_never_loaded() {
    let one = well_behaved().component();
    let other = Guest::replying("unreachable").component();
    let id =
        |component: &[u8]| ArtifactId::current(ComponentDigest::of(component)).expect("an engine");
    let key = ArtifactKey::new([7; 32]);
    let manifest = inspect(&one).expect("fits").manifest;
    let code = child::compile(&one).expect("compiles");
    let sealed = key.seal(&id(&one), &manifest, &code);
    let sealed = bytes::Bytes::from(sealed);
    key.open(&id(&one), sealed.clone()).expect("authentic");
    assert_eq!(
        key.open(&id(&other), sealed.clone()).err(),
        Some(ArtifactError::NotAuthentic)
    );
    let older = ArtifactId {
        wasmtime: "48.0.7".to_owned(),
        ..id(&one)
    };
    assert_eq!(
        key.open(&older, sealed.clone()).err(),
        Some(ArtifactError::NotAuthentic)
    );
    let elsewhere = ArtifactId {
        compatibility: id(&one).compatibility ^ 1,
        ..id(&one)
    };
    assert_eq!(
        key.open(&elsewhere, sealed.clone()).err(),
        Some(ArtifactError::NotAuthentic)
    );
    // One flipped bit at every 97th byte.
    for at in (0..sealed.len()).step_by(97) {
        let mut altered = sealed.to_vec();
        altered[at] ^= 1;
        assert!(key.open(&id(&one), altered).is_err(), "byte {at}");
    }
}
