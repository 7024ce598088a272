//! What the storage rooms rely on: values, errors, and that nothing half done outlives its connection.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row as _};

use super::*;

struct Folder {
    _folder: tempfile::TempDir,
    pool: std::sync::Arc<Pool>,
}

fn two_connections(place: Place) -> Folder {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        file: folder.path().join("v.db"),
        pragmas: vec![("journal_mode", "WAL".to_owned())],
        statements: 8,
        place,
    };
    let pool = Pool::open(options, 2).expect("a database");
    Folder {
        _folder: folder,
        pool,
    }
}

async fn execute(loan: &mut Loan, sql: &'static str) -> sqlx::Result<u64> {
    let done = sqlx::query(sql).execute(&mut **loan).await;
    done.map(|done| done.rows_affected())
}

async fn with_a_table(place: Place) -> (Folder, Loan) {
    let on = two_connections(place);
    let mut loan = on.pool.borrow().await.expect("a connection");
    execute(&mut loan, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
        .await
        .expect("a table");
    (on, loan)
}

async fn count(loan: &mut Loan) -> i64 {
    let sql = "SELECT COUNT(*) FROM t";
    let counted = sqlx::query_scalar(sql).fetch_one(&mut **loan).await;
    counted.expect("a number")
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    for place in [Place::Here, Place::Aside] {
        let on = two_connections(place);
        let mut loan = on.pool.borrow().await.expect("a connection");
        execute(
            &mut loan,
            "CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, n TEXT)",
        )
        .await
        .expect("a table");
        // Numbered, in another order than they stand, and one of them twice.
        let written =
            sqlx::query("INSERT INTO t VALUES ($2, $3, $1, $4, $5), ($2, $3, $1, $4, $1)")
                .bind("it's $1")
                .bind(i64::MIN)
                .bind(0.5)
                .bind(&[0_u8, 255][..])
                .bind(None::<String>)
                .execute(&mut *loan)
                .await
                .expect("two rows");
        assert_eq!(written.rows_affected(), 2);
        type All = (i64, f64, String, Vec<u8>, Option<String>);
        let rows: Vec<All> = sqlx::query_as("SELECT * FROM t ORDER BY n NULLS FIRST")
            .fetch_all(&mut *loan)
            .await
            .expect("both");
        let row = |n| (i64::MIN, 0.5, "it's $1".to_owned(), vec![0, 255], n);
        assert_eq!(rows, [row(None), row(Some("it's $1".to_owned()))]);
        let by_name = sqlx::query("SELECT s AS text FROM t")
            .fetch_one(&mut *loan)
            .await;
        assert_eq!(by_name.expect("a row").get::<String, _>("text"), "it's $1");
    }
}

#[tokio::test]
async fn a_wrong_type_and_a_wrong_name_are_errors_and_tampered_bytes_are_bytes() {
    let on = two_connections(Place::Here);
    let mut loan = on.pool.borrow().await.expect("a connection");
    let row = sqlx::query("SELECT 'x' AS x")
        .fetch_one(&mut *loan)
        .await
        .expect("a row");
    assert!(row.try_get::<i64, _>("x").is_err());
    assert!(row.try_get::<String, _>("y").is_err());
    assert!(row.try_get::<String, _>(1).is_err());
    assert_eq!(row.get::<Vec<u8>, _>("x"), b"x");
    let wrong = execute(&mut loan, "SELECT nonsense")
        .await
        .expect_err("no column");
    assert!(wrong.to_string().contains("nonsense"), "{wrong}");
}

#[tokio::test]
async fn what_stands_there_already_is_a_unique_violation() {
    let (_on, mut loan) = with_a_table(Place::Here).await;
    execute(&mut loan, "INSERT INTO t VALUES (1)")
        .await
        .expect("a row");
    match execute(&mut loan, "INSERT INTO t VALUES (1)").await {
        Err(sqlx::Error::Database(error)) => assert!(error.is_unique_violation()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_not_committed_when_a_connection_is_dropped_never_was() {
    let (on, mut loan) = with_a_table(Place::Here).await;
    loan.at_once("BEGIN IMMEDIATE").expect("begun");
    execute(&mut loan, "INSERT INTO t VALUES (1)")
        .await
        .expect("a row");
    drop(loan);
    let mut loan = on.pool.borrow().await.expect("the same one");
    assert!(!loan.is_in_transaction());
    assert_eq!(count(&mut loan).await, 0);
}

#[tokio::test]
async fn who_does_not_wait_for_an_answer_loses_the_connection_and_the_pool_opens_another() {
    let (on, mut loan) = with_a_table(Place::Aside).await;
    let long = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
        INSERT INTO t SELECT i FROM n";
    let given_up = tokio::time::timeout(Duration::ZERO, execute(&mut loan, long)).await;
    assert!(given_up.is_err(), "it takes longer than nothing");
    assert!(execute(&mut loan, "SELECT 1").await.is_err(), "it is away");
    drop(loan);
    let mut other = on.pool.borrow().await.expect("another");
    // The statement ends in its own time, whole; until then the file may be locked.
    let sql = AssertSqlSafe("PRAGMA busy_timeout = 60000".to_owned());
    sqlx::query(sql)
        .execute(&mut *other)
        .await
        .expect("patience");
    execute(&mut other, "INSERT INTO t VALUES (0)")
        .await
        .expect("a row");
    let counted = count(&mut other).await;
    assert!([1, 300_001].contains(&counted), "{counted}");
}

#[tokio::test]
async fn a_pool_that_is_closed_lends_nothing() {
    let on = two_connections(Place::Here);
    on.pool.close().await;
    on.pool.close().await;
    let refused = on.pool.borrow().await;
    assert!(matches!(refused, Err(sqlx::Error::PoolClosed)));
}
