//! The README's first command, scripted: it fails by itself when an expected reply is missing.

use vestibule_tests::{Deployment, Program};

#[tokio::test]
async fn the_scripted_demo_gets_every_reply() {
    // The demo brings its own database and its own Meta; what the deployment names is not used.
    let deployment = Deployment::new(Program::under_test(), "sqlite:", "http://127.0.0.1:9");
    let said = deployment.run("demo", &["demo", "--script"], &[]).await;
    assert!(said.contains("7 of 7 replies as expected"), "{said}");
}
