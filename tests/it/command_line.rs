//! The program as its operators meet it: its surroundings, its verbs, its end.

use std::os::unix::ffi::OsStrExt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vestibule_tests::{Deployment, Program, until};

fn deployment() -> Deployment {
    Deployment::new(Program::under_test(), "sqlite:", "http://127.0.0.1:9")
}

#[tokio::test]
async fn a_strangers_variable_that_is_no_text_hurts_nobody() {
    let mut command = deployment().command("node");
    let strange = std::ffi::OsStr::from_bytes(b"\xff");
    command.arg("migrate").env("STRANGER", strange);
    let output = tokio::process::Command::from(command).output().await;
    let output = output.expect("it starts");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn tenants_are_added_changed_and_shown() {
    let deployment = deployment();
    let run = async |arguments: &[&str]| deployment.run("node", arguments, &[]).await;
    run(&["migrate"]).await;
    let settings = r#"{"human_queue":"front desk"}"#;
    run(&["tenant", "add", "acme", "--settings", settings]).await;
    let shown = run(&["tenant", "show", "acme", "--json"]).await;
    assert!(shown.contains("front desk"), "{shown}");
    run(&["tenant", "set", "acme", "--settings", "{}"]).await;
    let shown = run(&["tenant", "show", "acme"]).await;
    assert!(!shown.contains("front desk"), "{shown}");
    assert!(run(&["tenant", "list"]).await.contains("acme"));
}

/// A request whose body never comes holds its connection, so that the node drains.
async fn half_a_request(node: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(node).await.expect("it listens");
    let head = b"POST /webhooks/whatsapp HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    // The handler waits for the body: the request has begun.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 100");
    stream
}

async fn get_ready(at: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let request = b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_node_that_drains_says_so_on_its_metrics_listener() {
    let deployment = deployment();
    let mut node = deployment.start("node").await;
    let at = node.metrics_at();
    let request = half_a_request(node.http()).await;
    let look = async {
        until("it says that it drains", async || {
            let answer = get_ready(at).await.ok()?;
            let unavailable = answer.starts_with("HTTP/1.1 503");
            (unavailable && answer.contains(r#""draining":true"#)).then_some(())
        })
        .await;
        drop(request);
    };
    let (ended, ()) = tokio::join!(node.terminate(), look);
    assert!(ended.success(), "{}", node.logs());
}
