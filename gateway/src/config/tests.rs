//! The configuration as an operator meets it: defaults, files, variables, mistakes.

use std::path::PathBuf;
use std::time::Duration;

use super::*;

fn env(vars: &[(&str, &str)]) -> Vec<(String, String)> {
    vars.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("vestibule.toml");
    std::fs::write(&path, text).expect("the file is written");
    (dir, path)
}

fn problems(text: &str, vars: &[(&str, &str)]) -> String {
    let (_dir, path) = file(text);
    let error = Config::load_with(Some(&path), env(vars)).expect_err("it has problems");
    error
        .to_string()
        .replace(&path.display().to_string(), "FILE")
}

#[test]
fn the_default_file_is_whole_and_has_no_key_too_many() {
    let config = Config::load_with(None, []).expect("the defaults are good");
    assert_eq!(config.http.max_body_bytes, 4 * 1024 * 1024);
    assert_eq!(config.leases.ttl, Duration::from_secs(10));
    assert!(config.plugins.guest_threads >= 1);
    assert!(config.plugins.recompile_concurrency >= 1);
    assert_eq!(config.turns.concurrency, 128 * config.plugins.guest_threads);
    assert_eq!(config.retention.events, Duration::from_secs(30 * 86_400));
    assert_eq!(config.key_file(), PathBuf::from("vestibule-data/keys.toml"));
    assert_eq!(
        config.sqlite_file(),
        Some("vestibule-data/vestibule.db".into())
    );
}

#[test]
fn every_key_of_the_default_file_has_a_comment_above_it() {
    let mut commented = false;
    for line in include_str!("../../config.default.toml").lines() {
        let is_key = line.contains(" = ") && !line.starts_with('#');
        assert!(!is_key || commented, "no comment above: {line}");
        commented = line.starts_with('#') || (commented && is_key);
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let (_dir, path) = file(
        "data_dir = \"/srv/v\"\n[graph]\nversion = \"v24.0\"\nbase_url = \"http://127.0.0.1:1\"\n",
    );
    let vars = env(&[
        ("VESTIBULE__GRAPH__VERSION", "v26.0"),
        ("VESTIBULE__PLUGINS__FUEL", "7"),
        ("VESTIBULE__METRICS__LISTEN", ""),
        ("HOME", "/root"),
    ]);
    let config = Config::load_with(Some(&path), vars).expect("it is good");
    assert_eq!(config.graph.version, "v26.0");
    assert_eq!(config.graph.base_url, "http://127.0.0.1:1");
    assert_eq!(config.plugins.fuel, 7);
    assert_eq!(config.metrics.listen, None);
    assert_eq!(config.data_dir, PathBuf::from("/srv/v"));
}

#[test]
fn all_problems_are_reported_at_once_with_key_and_origin() {
    let text = "colour = \"red\"\n[http]\nlisten = 8080\nlisen = \"x\"\n[leases]\nttl = \"10 parsecs\"\n[turn]\nx = 1\n";
    let vars = [
        ("VESTIBULE__LOG__FORMAT", "xml"),
        ("VESTIBULE__INGEST__QUEUE", "5"),
    ];
    assert_eq!(
        problems(text, &vars),
        "the configuration has problems:
  http.listen (from file FILE): must be text
  leases.ttl (from file FILE): must be a duration with its unit, like \"10s\"
  log.format (from environment variable VESTIBULE__LOG__FORMAT): must be \"text\" or \"json\"
  colour (from file FILE): is not a key that Vestibule knows
  http.lisen (from file FILE): is not a key that Vestibule knows
  ingest.queue (from environment variable VESTIBULE__INGEST__QUEUE): is not a key that Vestibule knows
  turn.x (from file FILE): is not a key that Vestibule knows"
    );
}

#[test]
fn keys_that_do_not_fit_together_are_refused() {
    let text = "[leases]\nttl = \"5s\"\n[graph]\nbase_url = \"graph.facebook.com/\"\nversion = \"25\"\n[ingest]\nqueue_bodies = 0\n[retention]\nsends = \"1d\"\n[log]\nlevel = \"a=b=c\"\n";
    assert_eq!(
        problems(text, &[]),
        "the configuration has problems:
  ingest.queue_bodies (from file FILE): must be at least 1
  graph.base_url (from file FILE): must be a URL without a slash at its end, like \"https://graph.facebook.com\"
  graph.version (from file FILE): must look like \"v25.0\"
  leases.renew_every (from the defaults): must be at most a third of leases.ttl
  retention.sends (from file FILE): must be at least 7d: a customer's phone may be off for days, and receipts name sends
  log.level (from file FILE): must be a level or directives, like \"info,vestibule::delivery=debug\""
    );
}

#[test]
fn networks_are_read_and_a_wrong_one_is_told_by_its_place() {
    let (_dir, path) = file("[hooks]\ndenied_networks = [\"203.0.113.7\", \"2600:1::/96\"]\n");
    let config = Config::load_with(Some(&path), []).expect("it is good");
    assert_eq!(config.hooks.denied_networks.len(), 2);
    let none = Config::load_with(None, []).expect("the defaults are good");
    assert!(none.hooks.denied_networks.is_empty());
    assert_eq!(
        problems(
            "[hooks]\ndenied_networks = [\"10.0.0.0/8\", \"203.0.113.7/24\"]\n",
            &[]
        ),
        "the configuration has problems:
  hooks.denied_networks (from file FILE): entry 2: must be 0 in the bits that its prefix leaves free"
    );
    let wrong = problems("", &[("VESTIBULE__HOOKS__DENIED_NETWORKS", "[\"here\"]")]);
    assert!(wrong.contains("entry 1: must be a network"), "{wrong}");
    let wrong = problems("[hooks]\ndenied_networks = \"10.0.0.0/8\"\n", &[]);
    assert!(wrong.contains("must be a list"), "{wrong}");
}

#[test]
fn a_secret_is_printed_neither_by_the_configuration_nor_by_its_problems() {
    let vars = env(&[
        ("VESTIBULE__DATABASE__URL", "postgres://v:hunter2@db/v"),
        ("VESTIBULE__SECRETS__KEYS", "[\"root:hunter2\"]"),
    ]);
    let config = Config::load_with(None, vars).expect("it is good");
    assert_eq!(config.secrets.keys[0].expose(), "root:hunter2");
    let printed = format!("{config:?}");
    assert!(printed.contains("keys: [[redacted]]"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");

    let wrong = problems(
        "[secrets]\nkeys = \"hunter2\"\n[database]\nurl = \"mysql://hunter2\"\n",
        &[],
    );
    assert!(!wrong.contains("hunter2"), "{wrong}");
    let broken = problems("[secrets]\nkeys = [\"hunter2\n", &[]);
    assert!(
        !broken.contains("hunter2") && broken.contains("line 2"),
        "{broken}"
    );
}

#[test]
fn a_file_that_is_not_there_is_a_problem_and_not_ignored() {
    let error = Config::load_with(Some("/nonexistent/v.toml".as_ref()), []).expect_err("no file");
    assert!(
        error
            .to_string()
            .contains("file /nonexistent/v.toml: cannot be read")
    );
}
