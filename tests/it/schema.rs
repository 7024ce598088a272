//! Both databases have the same tables with the same columns of the same kinds: read from real databases, not from text.

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection, Row, SqliteConnection};
use vestibule_tests::{Kind, TestDatabase};

/// Table → column → its kind and whether it may be NULL.
type Schema = BTreeMap<String, BTreeMap<String, (String, bool)>>;

/// Tables of one database only, each with its reason.
const ONE_SIDED: &[&str] = &[
    // sqlx's own book-keeping; its column types differ by design.
    "_sqlx_migrations",
];

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let Some(postgres) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let sqlite = TestDatabase::fresh(Kind::Sqlite)
        .await
        .expect("SQLite is always there");
    let (sqlite, postgres) = (
        sqlite_schema(&sqlite.url).await,
        postgres_schema(&postgres.url).await,
    );
    let tables = |schema: &Schema| schema.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        tables(&sqlite),
        tables(&postgres),
        "the databases have different tables"
    );
    for (table, columns) in &sqlite {
        assert_eq!(
            columns, &postgres[table],
            "table {table}: SQLite on the left, PostgreSQL on the right"
        );
    }
}

async fn sqlite_schema(url: &str) -> Schema {
    let mut connection = SqliteConnection::connect(url).await.expect("an open file");
    let rows = sqlx::query(
        "SELECT t.name, c.name, lower(c.type), c.\"notnull\" = 0 AND c.pk = 0
         FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
    );
    collect(
        rows.fetch_all(&mut connection)
            .await
            .expect("a readable schema"),
    )
}

/// Partitions are left out: they are part of their table.
async fn postgres_schema(url: &str) -> Schema {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let rows = sqlx::query(
        "SELECT t.relname::text, c.attname::text, format_type(c.atttypid, NULL), NOT c.attnotnull
         FROM pg_class t
         JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public'
         JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
         WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition",
    );
    collect(
        rows.fetch_all(&mut connection)
            .await
            .expect("a readable schema"),
    )
}

fn collect<R: Row>(rows: Vec<R>) -> Schema
where
    usize: sqlx::ColumnIndex<R>,
    String: for<'r> sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    bool: for<'r> sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let mut schema = Schema::new();
    for row in rows {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        if !ONE_SIDED.contains(&table.as_str()) {
            let kind = (common_name(&kind).to_owned(), row.get(3));
            schema.entry(table).or_default().insert(column, kind);
        }
    }
    schema
}

/// The portable subset's name for a type of either database.
fn common_name(kind: &str) -> &str {
    match kind {
        "bigint" | "integer" => "integer",
        "bytea" | "blob" => "bytes",
        "double precision" | "real" => "real",
        other => other,
    }
}
