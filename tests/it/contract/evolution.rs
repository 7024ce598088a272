//! How the contract may grow, and that the rules see what breaks it.

use super::shape::{Shape, broken_by, next, numbers, releases};

/// Do the two versions promise to run each other's components? 0.x promises within its minor version.
fn compatible(old: &str, new: &str) -> bool {
    let (old, new) = (numbers(old), numbers(new));
    match old[0] {
        0 => old[..2] == new[..2],
        _ => old[0] == new[0],
    }
}

#[test]
fn the_next_contract_runs_what_was_built_against_the_last_release() {
    let (version, folder) = next();
    let next = Shape::read(&folder);
    for (released, frozen) in releases() {
        if compatible(&released, &version) {
            let broken = broken_by(&Shape::read(&frozen), &next);
            assert!(
                broken.is_empty(),
                "wit/next ({version}) breaks components of {released}; what must change needs a new version:\n{}",
                broken.join("\n")
            );
        }
    }
}

#[test]
fn releases_of_one_line_run_each_others_components() {
    let all = releases();
    for (earlier, later) in all.iter().zip(all.iter().skip(1)) {
        if compatible(&earlier.0, &later.0) {
            let broken = broken_by(&Shape::read(&earlier.1), &Shape::read(&later.1));
            assert_eq!(broken, Vec::<String>::new(), "{} to {}", earlier.0, later.0);
        }
    }
}

/// Another line may break the one before it, and what it breaks is known: nothing else did it by accident, and whoever moves a
/// plugin from one to the other meets these types and no more.
#[test]
fn what_0_3_changed_of_0_2_is_open_now() {
    assert!(!compatible("0.2.2", "0.3.0"));
    let shape = |wanted: &str| {
        let mut all = releases().into_iter();
        let found = all.find(|(version, _)| version == wanted);
        Shape::read(&found.expect("a release").1)
    };
    let (old, new) = (shape("0.2.2"), shape("0.3.0"));
    let broken = broken_by(&old, &new);
    let broken: Vec<&str> = broken
        .iter()
        .map(|line| {
            line.split_once(" was ")
                .map_or(line.as_str(), |(name, _)| name)
        })
        .collect();
    let changed = [
        "conversation.owner",
        "conversation.speaker",
        "http.http-error",
        "inbound.media-kind",
        "kv.kv-error",
        "occasions.receipt-status",
        "reads.read-error",
        "refusal.effect-error",
        "routing.destination",
        "templates.button",
        "templates.category",
        "templates.quality",
        "types.value",
        "window.price-class",
        "window.state",
    ];
    assert_eq!(broken, changed);
    for name in changed {
        let cases = &new.items[name];
        let open = cases.contains("other(string)") || name == "routing.destination";
        assert!(open, "{name}: {cases}");
    }
}

const OLD: &str = r#"
package test:plugin@0.2.0;
interface types {
  record pair { a: u32, b: string }
  variant choice { one, two(string) }
  enum kind { x, y }
  flags set { p, q }
}
interface host {
  use types.{pair};
  resource thing { id: func() -> string; }
  act: func(p: pair) -> result<_, string>;
}
interface hook {
  use types.{pair};
  run: func(p: pair) -> result<_, string>;
}
world plugin { import host; export hook; }
"#;

/// What is found when this part of the old text is another.
fn change(from: &str, to: &str) -> Vec<String> {
    assert!(OLD.contains(from), "{from}");
    let new = OLD.replacen(from, to, 1);
    broken_by(&Shape::parse(OLD), &Shape::parse(&new))
}

#[test]
fn what_may_be_added() {
    for (from, to) in [
        ("act: func", "more: func() -> u32; act: func"),
        (
            "id: func() -> string;",
            "id: func() -> string; name: func() -> string;",
        ),
        ("enum kind", "record another { z: u8 } enum kind"),
        (
            "interface hook {",
            "interface second { go: func(); } interface hook {",
        ),
        (
            "export hook; }",
            "export hook; } world second { export host; }",
        ),
        ("record pair", "/// Said in other words.\n  record pair"),
    ] {
        let added = to.contains("export host");
        let broken = change(from, to);
        // An imported interface that components may export as well is still none of the old hooks.
        assert_eq!(broken, Vec::<String>::new(), "{to} {added}");
    }
}

#[test]
fn what_never_changes() {
    for (from, to, what) in [
        (
            "a: u32, b: string",
            "a: u32, b: string, c: u8",
            "types.pair was",
        ),
        ("a: u32, b: string", "b: string, a: u32", "types.pair was"),
        ("a: u32, b: string", "a: u64, b: string", "types.pair was"),
        (
            "one, two(string)",
            "one, two(string), three",
            "types.choice was",
        ),
        ("one, two(string)", "one, two(u32)", "types.choice was"),
        (
            "enum kind { x, y }",
            "enum kind { x, y, z }",
            "types.kind was",
        ),
        (
            "flags set { p, q }",
            "flags set { p, q, r }",
            "types.set was",
        ),
        (
            "act: func(p: pair)",
            "act: func(p: pair, q: u8)",
            "host.act() was",
        ),
        (
            "act: func(p: pair) -> result<_, string>",
            "act: func(p: pair)",
            "host.act() was",
        ),
        (
            "act: func(p: pair) -> result<_, string>;",
            "",
            "host.act() is gone",
        ),
        (
            "id: func() -> string;",
            "",
            "host.[method]thing.id() is gone",
        ),
        (
            "id: func() -> string;",
            "id: func() -> u64;",
            "host.[method]thing.id() was",
        ),
        (
            "run: func(p: pair) -> result<_, string>;",
            "run: func(p: pair) -> result<_, string>; stop: func();",
            "hook.stop() is new in a hook",
        ),
        ("export hook;", "", "hook is no hook any more"),
    ] {
        let broken = change(from, to);
        assert!(
            broken.iter().any(|line| line.starts_with(what)),
            "{from} -> {to}: {broken:?}"
        );
    }
}

#[test]
fn versions_promise_by_their_first_number_that_is_not_zero() {
    assert!(compatible("0.2.0", "0.2.1"));
    assert!(!compatible("0.1.0", "0.2.0"));
    assert!(compatible("1.0.0", "1.7.2"));
    assert!(!compatible("1.0.0", "2.0.0"));
}
