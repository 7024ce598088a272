//! Uploaded components and what was compiled from them.
//!
//! Each tenant has its own, whatever bytes others uploaded. Those of the operator's realm are everybody's to install:
//! whoever asks for a tenant's finds them too, behind the tenant's own.

use sqlx::FromRow;

use super::{Db, Result, Tx, execute, on_backend, rows};
use crate::domain::{TenantId, Timestamp};

/// An upload, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// In the order of uploads.
    pub upload: i64,
    /// Tenant 0: the operator's.
    pub tenant: TenantId,
    /// SHA-256, hex.
    pub digest: String,
    /// JSON.
    pub manifest: String,
    pub bytes: i64,
    pub uploaded_by: String,
    /// The name of the key that signed it; `""`: nobody did.
    pub signed_by: String,
    /// Of an upload of the operator's: the tenant that wrote it, if one is named.
    pub author: Option<TenantId>,
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    upload: i64,
    tenant: i64,
    digest: String,
    manifest: String,
    bytes: i64,
    uploaded_by: String,
    signed_by: String,
    author: i64,
    created_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT upload, tenant, digest, manifest, bytes, uploaded_by, signed_by, author, created_at FROM component ",
            $rest
        )
    };
}

/// Keeps an upload. The same bytes again change nothing, but for a signature that they did not have. Answers whether its bytes
/// were not stored before. Who wrote it is [`set_author_all_tenants`]'s to say.
pub async fn insert_component(
    tx: &mut Tx,
    tenant: TenantId,
    new: &Component,
    wasm: &[u8],
) -> Result<bool> {
    const SQL: &str = "INSERT INTO component (tenant, digest, manifest, bytes, uploaded_by, signed_by, created_at, upload)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, digest) DO UPDATE
        SET signed_by = CASE WHEN excluded.signed_by = '' THEN component.signed_by ELSE excluded.signed_by END";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(&new.digest)
            .bind(&new.manifest)
            .bind(new.bytes)
            .bind(&new.uploaded_by)
            .bind(&new.signed_by)
            .bind(new.created_at.millis())
            .bind(new.upload)
    )?;
    // Behind the upload's own row, which whoever collects locks first too: else its bytes could go with the old one.
    // Other bytes under the same digest were put there by somebody else.
    const BYTES: &str = "INSERT INTO component_wasm (tenant, digest, wasm) VALUES ($1, $2, $3)
        ON CONFLICT (tenant, digest) DO UPDATE SET wasm = excluded.wasm WHERE component_wasm.wasm <> excluded.wasm";
    let written = execute!(
        tx,
        sqlx::query(BYTES)
            .bind(tenant.raw())
            .bind(&new.digest)
            .bind(wasm)
    )?;
    Ok(written == 1)
}

/// Says which tenant wrote an upload of the operator's; none: nobody is named any more.
pub async fn set_author_all_tenants(
    tx: &mut Tx,
    digest: &str,
    author: Option<TenantId>,
) -> Result<()> {
    const SQL: &str = "UPDATE component SET author = $2 WHERE tenant = 0 AND digest = $1";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(digest)
            .bind(author.map_or(0, TenantId::raw))
    )?;
    Ok(())
}

/// An upload that the tenant may install.
pub async fn component(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<Option<Component>> {
    const SQL: &str =
        select!("WHERE tenant IN ($1, 0) AND digest = $2 ORDER BY tenant DESC LIMIT 1");
    let row: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(Component::from))
}

/// May the tenant have it?
pub async fn has_component(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<bool> {
    const SQL: &str =
        "SELECT tenant FROM component WHERE tenant IN ($1, 0) AND digest = $2 LIMIT 1";
    let found: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}

/// Who signed an upload that the tenant may install: its own one first, then the operator's of the same bytes. `""`: nobody.
pub async fn signers(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<Vec<String>> {
    const SQL: &str = "SELECT signed_by FROM component WHERE tenant IN ($1, 0) AND digest = $2 ORDER BY tenant DESC";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_all(conn)
            .await
    })?)
}

/// The manifest of an upload, whoever's it is: the same bytes have the same. None: nobody uploaded it.
pub async fn manifest_all_tenants(tx: &mut Tx, digest: &str) -> Result<Option<String>> {
    const SQL: &str = "SELECT manifest FROM component WHERE digest = $1 LIMIT 1";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?)
}

/// Uploads that the tenant may install, oldest first.
pub async fn components_of(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Component>> {
    const SQL: &str = select!("WHERE tenant IN ($1, 0) AND upload > $2 ORDER BY upload LIMIT $3");
    let rows: Vec<Row> = rows::page(tx, tenant, SQL, after, most).await?;
    Ok(rows.into_iter().map(Component::from).collect())
}

/// Keeps sealed machine code for one engine. A later one replaces it: both were compiled from the same bytes.
pub async fn put_artifact(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
    engine: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO artifact (tenant, digest, engine, sealed, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, digest, engine) DO UPDATE SET sealed = $4, created_at = $5";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .bind(engine)
            .bind(sealed)
            .bind(now.millis())
    )?;
    Ok(())
}

/// Is there machine code of a component for this engine? Without reading it, which may be much.
pub async fn has_artifact(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
    engine: &str,
) -> Result<bool> {
    const SQL: &str = "SELECT tenant FROM artifact WHERE tenant IN ($1, 0) AND digest = $2 AND engine = $3 LIMIT 1";
    let found: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .bind(engine)
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}

/// Sealed machine code of a component for this engine.
pub async fn artifact(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
    engine: &str,
) -> Result<Option<Vec<u8>>> {
    const SQL: &str =
        "SELECT sealed FROM artifact WHERE tenant IN ($1, 0) AND digest = $2 AND engine = $3
        ORDER BY tenant DESC LIMIT 1";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .bind(engine)
            .fetch_optional(conn)
            .await
    })?)
}

/// Holds an upload that is about to be installed, so that nobody collects it meanwhile. False: it is gone.
pub async fn hold(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<bool> {
    const SHARED: &str = "SELECT tenant FROM component WHERE tenant IN ($1, 0) AND digest = $2
        ORDER BY tenant DESC LIMIT 1 FOR SHARE";
    const PLAIN: &str = "SELECT tenant FROM component WHERE tenant IN ($1, 0) AND digest = $2
        ORDER BY tenant DESC LIMIT 1";
    let sql = tx.pick(PLAIN, SHARED);
    let held: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?;
    Ok(held.is_some())
}

/// A version of an installation that stands has it; `c` is the upload. The operator's may be anybody's.
macro_rules! unused {
    () => {
        "NOT EXISTS (SELECT 1 FROM installation_version v JOIN installation i ON i.id = v.installation
            WHERE v.digest = c.digest AND (c.tenant = 0 OR v.tenant = c.tenant) AND i.state <> 'retired')"
    };
}

/// How many of its own uploads stand in no installation.
pub async fn count_unused(tx: &mut Tx, tenant: TenantId) -> Result<i64> {
    const SQL: &str = concat!(
        "SELECT COUNT(*) FROM component c WHERE c.tenant = $1 AND ",
        unused!()
    );
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .fetch_one(conn)
            .await
    })?)
}

/// Lets go of uploads from before a moment that no installation has among its versions, with what was compiled of them.
/// Answers how many went.
pub async fn collect_all_tenants(db: &Db, before: Timestamp) -> Result<u64> {
    const MOST: i64 = 50;
    let mut gone = 0;
    loop {
        let mut tx = db.begin().await?;
        let plain = concat!(
            "SELECT c.tenant, c.digest FROM component c WHERE c.created_at < $1 AND ",
            unused!(),
            " ORDER BY c.tenant, c.digest LIMIT $2"
        );
        let locked = concat!(
            "SELECT c.tenant, c.digest FROM component c WHERE c.created_at < $1 AND ",
            unused!(),
            " ORDER BY c.tenant, c.digest LIMIT $2 FOR UPDATE OF c"
        );
        let sql = tx.pick(plain, locked);
        let found: Vec<(i64, String)> = on_backend!(tx, |conn| {
            sqlx::query_as(sql)
                .bind(before.millis())
                .bind(MOST)
                .fetch_all(conn)
                .await
        })?;
        let rows = found.len() as i64;
        let mut step = 0;
        for (tenant, digest) in found {
            // Asked again with the row locked: whoever installs it holds it.
            const UPLOAD: &str = concat!(
                "DELETE FROM component AS c WHERE c.tenant = $1 AND c.digest = $2 AND ",
                unused!()
            );
            let deleted = execute!(&mut tx, sqlx::query(UPLOAD).bind(tenant).bind(&digest))?;
            if deleted > 0 {
                const BYTES: &str = "DELETE FROM component_wasm WHERE tenant = $1 AND digest = $2";
                const CODE: &str = "DELETE FROM artifact WHERE tenant = $1 AND digest = $2";
                for sql in [BYTES, CODE] {
                    execute!(&mut tx, sqlx::query(sql).bind(tenant).bind(&digest))?;
                }
            }
            step += deleted;
        }
        tx.commit().await?;
        gone += step;
        if rows < MOST || step == 0 {
            return Ok(gone);
        }
    }
}

/// The manifest of a kept upload, JSON: for lists and for what is asked before it is installed. What runs has its own, sealed
/// with its machine code.
pub async fn manifest(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<Option<String>> {
    let found = component(tx, tenant, digest).await?;
    Ok(found.map(|component| component.manifest))
}

impl From<Row> for Component {
    fn from(row: Row) -> Self {
        Self {
            upload: row.upload,
            tenant: TenantId::from_raw(row.tenant),
            digest: row.digest,
            manifest: row.manifest,
            bytes: row.bytes,
            uploaded_by: row.uploaded_by,
            signed_by: row.signed_by,
            author: (row.author != 0).then(|| TenantId::from_raw(row.author)),
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}
