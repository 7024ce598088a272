//! Names and words that would be somebody else's lines: in custom sections, imports, manifests, faults and logs.

use super::super::super::manifest::SECTION;
use super::super::super::words;
use super::*;

const FORGED: &str = "x\r\n{\"level\":\"ERROR\"}\u{1b}[2J\u{202e}";

/// What is shown is one line, without escapes, and short.
#[track_caller]
fn harmless(text: &str) {
    assert_eq!(text, words::harmless(text.to_owned()));
    assert!(text.chars().count() <= 5_000, "{} characters", text.len());
}

fn refusal(component: &[u8]) -> String {
    inspect(component).expect_err("refused").to_string()
}

#[tokio::test]
async fn names_of_functions_are_not_repeated_in_a_fault() {
    // wasmtime puts a backtrace with the name section's names around its errors: the second could be read as a limit.
    for name in [
        FORGED,
        "fuel allocated for hostcalls has been exhausted",
        &"n".repeat(90_000),
    ] {
        let parts = format!(
            "(func $bad (@name {name:?}) (call $reply-text (i32.const -16) (i32.const 64) {RET}))"
        );
        let message = faults(
            Guest::replying("(call $bad)").with(&parts),
            FaultKind::Malformed,
        )
        .await;
        assert!(
            !message.contains("nnn") && !message.contains("level"),
            "{message}"
        );
        harmless(&message);
    }
}

#[tokio::test]
async fn reasons_and_faults_of_a_guests_own_words_stay_one_line() {
    let host = host();
    for (case, outcome) in [(0, "rejected"), (2, "fault")] {
        let body = format!(
            "(call $log (i32.const 3) {{{{{FORGED}}}}})
             (i32.store8 (i32.const 2048) (i32.const 1)) (i32.store8 (i32.const 2052) (i32.const {case}))
             (i32.store (i32.const 2056) (i32.const 4096)) (i32.store (i32.const 2060) (i32.const {}))",
            FORGED.len()
        );
        let report = run(&host, Guest::replying(&body)).await;
        let said = match &report.calls[0].outcome {
            CallOutcome::Rejected(said) => ("rejected", said),
            CallOutcome::Fault(fault) => ("fault", &fault.message),
            other => panic!("{other:?}"),
        };
        assert_eq!(said.0, outcome);
        assert!(said.1.starts_with("x  {"), "{}", said.1);
        harmless(said.1);
        harmless(&report.logs[0].message);
    }
}

#[test]
fn imports_with_forged_names_are_refused_in_one_short_line() {
    for name in [FORGED, &"i".repeat(90_000)] {
        // A component's import: kind, name, sort (an instance of type 0).
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        append_section(&mut component, 10, &import_of(name));
        harmless(&refusal(&component));
    }
}

fn import_of(name: &str) -> Vec<u8> {
    let mut body = vec![1, 0];
    let mut length = name.len();
    while length >= 128 {
        body.push((length % 128) as u8 | 128);
        length /= 128;
    }
    body.push(length as u8);
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(&[5, 0]);
    body
}

#[test]
fn a_manifest_with_forged_words_is_refused_in_one_short_line() {
    let long = "v".repeat(40_000);
    for (field, value) in [
        ("version", FORGED),
        ("abi", FORGED),
        ("version", &long),
        ("abi", &long),
        (FORGED, "1"),
        (&long, "1"),
    ] {
        let mut manifest = serde_json::json!({
            "name": "test", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"],
        });
        manifest[field] = value.into();
        harmless(
            &Manifest::parse(manifest.to_string().as_bytes())
                .expect_err("refused")
                .to_string(),
        );
    }
    // Ten thousand mistakes in one manifest are told as a few.
    let many: Vec<String> = (0..10_000).map(|n| format!("x{n}")).collect();
    for list in ["interfaces", "grants"] {
        for words in [vec![FORGED.to_owned()], vec![long.clone()], many.clone()] {
            let mut manifest = serde_json::json!({
                "name": "test", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"],
            });
            manifest[list] = serde_json::json!(words);
            harmless(
                &Manifest::parse(manifest.to_string().as_bytes())
                    .expect_err("refused")
                    .to_string(),
            );
        }
    }
}

#[test]
fn a_manifest_that_nests_without_end_is_refused() {
    let deep = format!(
        "{{\"config_schema\":{}{}}}",
        "[".repeat(30_000),
        "]".repeat(30_000)
    );
    harmless(
        &Manifest::parse(deep.as_bytes())
            .expect_err("refused")
            .to_string(),
    );
}

#[test]
fn a_manifest_to_the_byte() {
    let of = |bytes: usize| {
        let start =
            r#"{"name":"test","version":"1.0.0","abi":"0.1.0","interfaces":[],"description":""#;
        format!("{start}{}\"}}", "d".repeat(bytes - start.len() - 2))
    };
    let most = super::super::super::limits::MANIFEST_BYTES;
    Manifest::parse(of(most).as_bytes()).expect("fits");
    assert!(matches!(
        Manifest::parse(of(most + 1).as_bytes()),
        Err(ManifestError::TooLarge)
    ));
}

#[test]
fn a_second_manifest_is_refused_wherever_it_stands() {
    let plain = well_behaved().component();
    let mut first = plain[..8].to_vec();
    append_custom_section(&mut first, SECTION, br#"{"name":"forged"}"#);
    first.extend_from_slice(&plain[8..]);
    assert!(inspect(&first).is_err());
    let mut good = Vec::new();
    append_custom_section(
        &mut good,
        SECTION,
        br#"{"name":"test","version":"9.9.9","abi":"0.1.0","interfaces":["auto-reply"]}"#,
    );
    let mut first = plain[..8].to_vec();
    first.extend_from_slice(&good);
    first.extend_from_slice(&plain[8..]);
    assert!(refusal(&first).contains("more than one"));
}

#[test]
fn a_manifest_in_a_nested_module_or_component_is_none() {
    let mut inner = b"\0asm\x0d\0\x01\0".to_vec();
    append_custom_section(
        &mut inner,
        SECTION,
        br#"{"name":"test","version":"1.0.0","abi":"0.1.0","interfaces":["auto-reply"]}"#,
    );
    let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
    append_section(&mut outer, 4, &inner);
    assert!(refusal(&outer).contains("no custom section"));
    let mut with = well_behaved().component();
    append_section(&mut with, 4, &inner);
    // The component's own counts, and nothing else.
    assert_eq!(inspect(&with).expect("fits").manifest.version, "1.2.3");
}

#[tokio::test]
async fn custom_sections_of_any_kind_and_number_change_nothing() {
    let host = host();
    let mut component = well_behaved().component();
    append_custom_section(&mut component, "name", &[0xff; 1_000]);
    append_custom_section(&mut component, "component-name", &[0xff; 1_000]);
    append_custom_section(&mut component, ".debug_info", &[0xff; 1_000]);
    append_custom_section(&mut component, FORGED, &vec![0; 1 << 20]);
    for _ in 0..10_000 {
        append_custom_section(&mut component, "", b"");
    }
    let plugin = load(&host, &component).expect("fits");
    assert_eq!(texts(&run_bound(&host, binding(&plugin)).await), ["hi"]);
}

#[test]
fn section_names_of_megabytes_or_without_utf8_are_refused() {
    let mut long = well_behaved().component();
    append_custom_section(&mut long, &"n".repeat(2 << 20), b"");
    harmless(&refusal(&long));
    let mut broken = well_behaved().component();
    append_section(&mut broken, 0, &[3, 0xff, 0xfe, 0xfd, 1, 2, 3]);
    harmless(&refusal(&broken));
}
