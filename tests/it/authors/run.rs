//! `vestibule plugin run`: what is saved answers, and what cannot be built changes nothing.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rustix::process::Signal;
use vestibule_tests::browser::Browser;

use super::desk::Desk;

const SOURCE: &str = "parrot/src/lib.rs";
const REPLY: &str = r#"turn.reply_text(&format!("{greeting} You said: {words}"))?;"#;
const SQUAWK: &str = r#"let _ = greeting;
        vestibule_plugin::info!("asked: {words}");
        if words == "boom" {
            panic!("out of crackers");
        }
        turn.reply_text(&format!("Squawk, {words}!"))?;"#;

#[tokio::test]
async fn what_is_saved_answers_without_a_restart_and_what_does_not_compile_changes_nothing() {
    let desk = Desk::new();
    desk.begin("parrot").await;
    let mut running = desk.start("", &["parrot", "--settings", r#"{"greeting":"Ahoy!"}"#]);
    running.says("live as version 1").await;
    running.says("granted: nothing").await;
    running.says("http://").await;
    running.answers("hi", "Ahoy! You said: hi").await;

    desk.edit(SOURCE, REPLY, SQUAWK);
    let built = running.says("live as version 2").await;
    assert!(built.contains("parrot 0.1.0: built in"), "{built}");
    running.answers("polly", "Squawk, polly!").await;
    let log = running.says("asked: polly").await;
    assert!(log.contains("info   auto-reply  asked: polly"), "{log}");
    if let Some(browser) = Browser::open_or_skip().await {
        browser.go(running.phone()).await;
        browser.wait_for(".story .step.log p", "asked: polly").await;
    }

    // As cargo tells it, and the old version answers.
    desk.edit(SOURCE, "let _ = greeting;", "let _ = greting;");
    running.says("parrot does not compile").await;
    running.says("version 2 goes on").await;
    running.has_said("error[E0425]").await;
    running.answers("again", "Squawk, again!").await;

    // What compiles and is no good is refused as an upload is.
    desk.edit(SOURCE, "let _ = greting;", "let _ = greeting;");
    desk.edit("parrot/plugin.toml", r#"["auto-reply"]"#, r#"["routing"]"#);
    running.says("the upload is refused:").await;
    running.says("the manifest claims the hooks routing").await;
    running.says("version 2 goes on").await;

    desk.edit("parrot/plugin.toml", r#"["routing"]"#, r#"["auto-reply"]"#);
    desk.edit(
        "parrot/plugin.toml",
        "grants = []",
        r#"grants = ["http *", "kv"]"#,
    );
    running.says("live as version 3").await;
    running.says("granted: kv").await;
    running
        .says("it asks for `http *`: say which by --grant")
        .await;

    running.told("boom").await;
    let fault = running.says("parrot/src/lib.rs:").await;
    assert!(fault.contains("out of crackers"), "{fault}");
    assert!(fault.contains("fault  auto-reply  trap: "), "{fault}");
    assert!(!fault.contains("/rustc/"), "{fault}");

    let ended = running.end().await;
    assert!(ended.success(), "{ended}");
    assert!(desk.left().is_empty(), "{:?}", desk.left());
}

#[tokio::test]
async fn what_is_saved_beside_the_folder_is_tried_though_nothing_was_ever_built() {
    let desk = Desk::new();
    desk.begin("magpie").await;
    fs::create_dir_all(desk.at("helper/src")).expect("a folder");
    let manifest = "[package]\nname = \"helper\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(desk.at("helper/Cargo.toml"), manifest).expect("written");
    fs::write(
        desk.at("helper/src/lib.rs"),
        "pub fn word() -> u8 { \"none\" }",
    )
    .expect("written");
    let dependency = "[dependencies]\nhelper = { path = \"../helper\" }";
    desk.edit("magpie/Cargo.toml", "[dependencies]", dependency);
    let mut running = desk.start("magpie", &[]);
    running.says("magpie does not compile").await;
    running.says("nothing answers yet").await;
    desk.edit("helper/src/lib.rs", "\"none\"", "7");
    running.says("live as version 1").await;
    assert!(running.end().await.success());
}

#[tokio::test]
async fn ctrl_c_ends_it_while_it_waits_for_a_secret() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let desk = Desk::new();
    desk.begin("sphinx").await;
    let pipe = desk.at("secret");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it starts").success());
    let running = desk.start("sphinx", &["--secret-file", "token=../secret"]);
    // Opened when it is opened for reading: then it waits for the secret.
    let open = tokio::task::spawn_blocking(|| fs::File::options().write(true).open(pipe));
    let writer = open.await.expect("a thread").expect("a pipe");
    let ended = tokio::time::timeout(PATIENCE, running.end()).await;
    let ended = ended.expect("it ends");
    assert_eq!(ended.signal(), Some(Signal::INT.as_raw()), "{ended}");
    assert!(desk.left().is_empty(), "{:?}", desk.left());
    drop(writer);
}

#[tokio::test]
async fn ctrl_c_ends_it_while_it_builds() {
    let desk = Desk::new();
    desk.begin("slowpoke").await;
    // Somebody else has cargo's folder: cargo waits, and says so.
    let lock = desk.hold_target("slowpoke");
    let mut running = desk.start("slowpoke", &[]);
    running.says("Blocking waiting for file lock").await;
    let ended = running.end().await;
    assert!(ended.success(), "{ended}");
    assert!(desk.left().is_empty(), "{:?}", desk.left());
    drop(lock);
}

#[tokio::test]
async fn what_cannot_run_is_told_before_anything_is_started() {
    let desk = Desk::new();
    desk.begin("dodo").await;
    let refused = async |more: &[&str]| desk.refused(&[&["run"], more].concat()).await;

    let error = refused(&["nowhere"]).await;
    assert!(error.contains("no Cargo.toml in nowhere"), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = refused(&["dodo", "--listen", &address]).await;
    assert!(error.contains(&address), "{error}");

    let error = refused(&["dodo", "--settings-file", "none.json"]).await;
    assert!(error.contains("cannot read none.json"), "{error}");
    let error = refused(&["dodo", "--secret-file", "token=none"]).await;
    assert!(
        error.contains("cannot read the secret token from none"),
        "{error}"
    );

    std::fs::write(desk.at("short"), "s3cret").expect("written");
    let error = refused(&["dodo", "--secret-file", "token=short"]).await;
    assert!(
        error.contains("the secret token: the secret must have"),
        "{error}"
    );

    let error = desk.refused_without_target(&["run", "dodo"]).await;
    assert!(
        error.contains("rustup target add wasm32-unknown-unknown"),
        "{error}"
    );

    std::fs::remove_file(desk.at("dodo/plugin.toml")).expect("removed");
    let error = refused(&["dodo"]).await;
    assert!(error.contains("no plugin.toml in "), "{error}");

    desk.edit("dodo/Cargo.toml", r#"["cdylib", "lib"]"#, r#"["lib"]"#);
    let error = refused(&["dodo"]).await;
    assert!(
        error.contains("has no library that can be a plugin"),
        "{error}"
    );
}
