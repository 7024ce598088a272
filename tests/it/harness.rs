//! The harness's own promises: databases are fresh, and nothing stays behind.

use vestibule_tests::postgres::{Cluster, Durability, Missing};
use vestibule_tests::{Business, Deployment, Program, for_each_database, settle};

#[tokio::test]
async fn every_test_gets_a_migrated_database_of_each_kind() {
    for_each_database(async |database| {
        let db = database.open().await;
        let pending = vestibule::storage::migrate::pending(&db)
            .await
            .expect("a readable database");
        assert_eq!(pending, 0);
        db.close().await;
    })
    .await;
}

#[test]
fn a_cluster_leaves_nothing_behind() {
    let cluster = match Cluster::start(Durability::Fast) {
        Ok(cluster) => cluster,
        Err(error) if error.is::<Missing>() => return,
        Err(error) => panic!("{error:#}"),
    };
    let pid = cluster.pid().expect("a running server");
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    assert!(process.exists());
    drop(cluster);
    assert!(!process.exists(), "the server still runs");
}

#[tokio::test]
async fn a_business_is_onboarded_by_the_command_line() {
    for_each_database(async |database| {
        let deployment =
            Deployment::new(Program::under_test(), &database.url, "http://127.0.0.1:9");
        let business = Business::new(2, 2, 80);
        business.onboard(&deployment, "node").await;
        let status = deployment.run("node", &["status", "--json"], &[]).await;
        let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
        assert_eq!(
            (&status["tenants"], &status["numbers"]),
            (&2.into(), &4.into())
        );
        let doubts = deployment
            .run("node", &["sends", "doubts", "--json"], &[])
            .await;
        assert_eq!(doubts.trim(), "[]");
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
    })
    .await;
}
