//! Small uploads that mean much work: each gets its verdict within the limits of the child, most within those of
//! inspection, and none of them crashes the compiler.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;
use vestibule::plugin_host::{CompileError, CompileLimits, InspectErrors, Inspection, inspect};

use super::compose::{MANIFEST, append_custom_section, append_section, componentise};
use super::stage::compiler_within;

/// A well-behaved plugin with one more module (binary).
fn beside(module: &[u8]) -> Vec<u8> {
    let mut component = plain();
    append_section(&mut component, 1, module);
    with_manifest(component)
}

fn plain() -> Vec<u8> {
    let module = r#"(module (memory (export "memory") 1)
        (func (export "vestibule:plugin/auto-reply@0.1.0#reply") (param i32 i32) (result i32) (i32.const 2048))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))"#;
    let module = wat::parse_str(module).expect("valid WAT");
    componentise(module, ["auto-reply"].into_iter(), "", None).expect("a component")
}

fn with_manifest(mut component: Vec<u8>) -> Vec<u8> {
    let manifest =
        json!({"name": "test", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"]});
    append_custom_section(&mut component, MANIFEST, manifest.to_string().as_bytes());
    component
}

fn module(parts: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {parts})")).expect("valid WAT")
}

/// Little enough that a bomb meets a limit soon, enough for the program itself.
fn tight() -> CompileLimits {
    CompileLimits {
        memory: 512 << 20,
        cpu: Duration::from_secs(3),
        // On a machine that is busy those seconds may take minutes.
        wall: Duration::from_secs(1800),
        artifact: 8 << 20,
        ..CompileLimits::default()
    }
}

/// Compiles, is refused in words, or meets a limit that is named.
async fn has_a_verdict(what: &str, upload: Vec<u8>) -> Result<(), CompileError> {
    inspect(&upload).unwrap_or_else(|error| panic!("{what}: {error}"));
    let compiled = compiler_within(tight()).compile(upload).await.map(drop);
    let clear = match &compiled {
        Ok(()) | Err(CompileError::CpuTime | CompileError::Memory | CompileError::ArtifactSize) => {
            true
        }
        Err(CompileError::Refused(why)) => !why.is_empty(),
        Err(_) => false,
    };
    assert!(clear, "{what}: {compiled:?}");
    compiled
}

#[track_caller]
fn is_too_much(inspected: Result<Inspection, InspectErrors>, what: &str) {
    let refused = inspected.expect_err(what).to_string();
    assert!(refused.ends_with(what), "{refused}");
}

/// Instructions of so many bytes, each of which must be compiled.
fn long_function(bytes: usize) -> Vec<u8> {
    // `local.get 0; i32.const 1; i32.add; local.set 0` is 7 bytes; 4 more are around them.
    let step = "(local.set 0 (i32.add (local.get 0) (i32.const 1)))";
    let rest = "nop ".repeat((bytes - 4) % 7);
    let steps = step.repeat((bytes - 4) / 7);
    module(&format!("(func (local i32) {steps} {rest})"))
}

#[tokio::test]
async fn a_function_to_the_byte() {
    let most = 1 << 20;
    let longest = beside(&long_function(most));
    inspect(&longest).expect("fits");
    let refused = inspect(&beside(&long_function(most + 1)));
    is_too_much(refused, "bytes in one function");
    let _ = has_a_verdict("a function of a mebibyte", longest).await;
}

#[tokio::test]
async fn functions_to_the_function() {
    let of = |functions: usize| beside(&module(&"(func)".repeat(functions)));
    // The plugin around them has some of its own.
    let own = inspect(&beside(&module(""))).expect("fits").functions;
    let most = of(100_000 - own);
    inspect(&most).expect("fits");
    let refused = inspect(&of(100_001 - own));
    is_too_much(refused, "functions");
    let _ = has_a_verdict("100,000 functions", most).await;
}

#[tokio::test]
async fn types_to_the_type() {
    let of = |types: usize| beside(&module(&"(type (func))".repeat(types)));
    inspect(&of(150_000)).expect("fits");
    let refused = inspect(&of(200_001));
    is_too_much(refused, "items");
    let _ = has_a_verdict("150,000 types", of(150_000)).await;
}

#[tokio::test]
async fn code_that_takes_long_to_compile_has_a_verdict() {
    let nested =
        |depth: usize| format!("(func {} {})", "block ".repeat(depth), "end ".repeat(depth));
    let table = |targets: usize, blocks: usize| {
        let targets = "0 ".repeat(targets);
        let tables = format!("block (br_table {targets} (local.get 0)) end ").repeat(blocks);
        format!("(func (param i32) {tables})")
    };
    let locals = format!("(func (local {}))", "v128 ".repeat(49_000));
    let live = |values: usize| {
        let gets = "(i32.load (local.get 0)) ".repeat(values);
        format!(
            "(memory 1) (func (param i32) (result i32) {gets} {})",
            "i32.xor ".repeat(values - 1)
        )
    };
    let loops = |depth: usize| {
        format!(
            "(func (param i32) {} {})",
            "loop ".repeat(depth),
            "(br_if 0 (local.get 0)) end ".repeat(depth)
        )
    };
    for (what, parts) in [
        ("blocks nested deeply", nested(60_000)),
        ("one br_table of 60,000", table(60_000, 1)),
        ("many br_tables", table(5_000, 100)),
        ("locals", locals),
        ("values that all live at once", live(100_000)),
        ("loops in loops", loops(20_000)),
    ] {
        let _ = has_a_verdict(what, beside(&module(&parts))).await;
    }
}

#[tokio::test]
async fn data_and_elements_of_megabytes_have_a_verdict() {
    let data = format!(
        "(memory 250) (data (i32.const 0) \"{}\")",
        "x".repeat(15 << 20)
    );
    let zeros = format!(
        "(memory 250) {}",
        "(data (i32.const 16000000) \"x\")".repeat(90_000)
    );
    let elements = format!(
        "(func $f) (table 20000 funcref) (elem (i32.const 0) {})",
        "$f ".repeat(20_000)
    );
    let segments = format!(
        "(func $f) (table 1 funcref) {}",
        "(elem (i32.const 0) $f)".repeat(90_000)
    );
    for (what, parts) in [
        ("data", data),
        ("small data", zeros),
        ("elements", elements),
        ("segments", segments),
    ] {
        let _ = has_a_verdict(what, beside(&module(&parts))).await;
    }
}

/// Types of components that double with every line: 2^60 fields in a kilobyte.
#[tokio::test]
async fn types_that_double_are_refused() {
    let mut types = "(type $t0 (tuple u8 u8))".to_owned();
    for n in 1..60 {
        let _ = write!(types, "(type $t{n} (tuple $t{0} $t{0}))", n - 1);
    }
    let doubling = wat::parse_str(format!("(component {types})")).expect("valid WAT");
    let mut upload = plain();
    append_section(&mut upload, 4, &doubling);
    let refused = has_a_verdict("types that double", with_manifest(upload)).await;
    assert!(
        matches!(refused, Err(CompileError::Refused(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn components_within_components_as_deep_as_may_be_have_a_verdict() {
    let of = |depth: usize| {
        let nested = "(component ".repeat(depth) + &")".repeat(depth);
        let nested = wat::parse_str(nested).expect("valid WAT");
        let mut upload = plain();
        append_section(&mut upload, 4, &nested);
        with_manifest(upload)
    };
    let compiled = has_a_verdict("nested as deep as may be", of(8)).await;
    compiled.expect("harmless");
    assert!(inspect(&of(9)).is_err());
}

#[tokio::test]
async fn an_upload_to_the_byte() {
    let mut upload = plain();
    let whole = 16 << 20;
    let most = whole - with_manifest(upload.clone()).len();
    // Id, three or four bytes of length, a name of one.
    append_custom_section(&mut upload, "p", &vec![0; most - 7]);
    let upload = with_manifest(upload);
    assert_eq!(upload.len(), whole);
    has_a_verdict("16 MiB", upload.clone())
        .await
        .expect("compiles");
    let larger = [upload.as_slice(), b"\0"].concat();
    assert!(inspect(&larger).is_err());
    let refused = compiler_within(tight()).compile(larger).await;
    assert!(matches!(refused, Err(CompileError::TooLarge)));
}
