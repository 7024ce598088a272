//! Components that have no artifact of an engine: which they are, who compiles them, what cannot be compiled.
//!
//! The same bytes at many tenants are compiled once. A claim runs out by itself, so that a lost node keeps nothing; so does
//! a pause after a failure, and what is known of a component that cannot be compiled: `claimed_until` is when somebody may
//! try next.

use sqlx::FromRow;

use super::{Result, Tx, execute, on_backend};
use crate::domain::{TenantId, Timestamp};

/// Digests without an artifact of this engine, but for those that are refused now: what is in service first, what ran last
/// before the rest.
pub async fn missing_all_tenants(
    tx: &mut Tx,
    engine: &str,
    now: Timestamp,
    most: i64,
) -> Result<Vec<String>> {
    const SQL: &str = "SELECT m.digest FROM (
            SELECT DISTINCT c.digest FROM component c
            WHERE NOT EXISTS (SELECT 1 FROM artifact a
                    WHERE a.tenant = c.tenant AND a.digest = c.digest AND a.engine = $1)
                AND NOT EXISTS (SELECT 1 FROM compile_work w
                    WHERE w.digest = c.digest AND w.engine = $1 AND w.problem <> '' AND w.claimed_until > $3)
        ) m
        ORDER BY COALESCE((SELECT MAX(CASE WHEN v.stage <> 'retired' THEN 1 ELSE 0 END)
                FROM installation_version v WHERE v.digest = m.digest), 0) DESC,
            COALESCE((SELECT MAX(h.ran_at) FROM installation_version v
                JOIN plugin_health h ON h.installation = v.installation AND h.seq = v.seq
                WHERE v.digest = m.digest), 0) DESC,
            m.digest
        LIMIT $2";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(engine)
            .bind(most)
            .bind(now.millis())
            .fetch_all(conn)
            .await
    })?)
}

/// Takes a component on, unless another node has it, or it failed or was refused lately.
pub async fn claim_all_tenants(
    tx: &mut Tx,
    (digest, engine): (&str, &str),
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO compile_work (digest, engine, holder, claimed_until, tries, problem)
        VALUES ($1, $2, $3, $4, 1, '') ON CONFLICT (digest, engine) DO UPDATE
        SET holder = excluded.holder, claimed_until = excluded.claimed_until, tries = compile_work.tries + 1
        WHERE compile_work.claimed_until <= $5";
    let claimed = execute!(
        tx,
        sqlx::query(SQL)
            .bind(digest)
            .bind(engine)
            .bind(holder)
            .bind(until.millis())
            .bind(now.millis())
    )?;
    Ok(claimed == 1)
}

/// How often it was begun.
pub async fn tries_all_tenants(tx: &mut Tx, digest: &str, engine: &str) -> Result<i64> {
    const SQL: &str = "SELECT tries FROM compile_work WHERE digest = $1 AND engine = $2";
    let tries: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(digest)
            .bind(engine)
            .fetch_optional(conn)
            .await
    })?;
    Ok(tries.unwrap_or(0))
}

/// There is no artifact of it, and why: nobody tries it again until then.
pub async fn refuse_all_tenants(
    tx: &mut Tx,
    (digest, engine): (&str, &str),
    problem: &str,
    until: Timestamp,
) -> Result<()> {
    const SQL: &str = "UPDATE compile_work SET problem = $3, claimed_until = $4 WHERE digest = $1 AND engine = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(digest)
            .bind(engine)
            .bind(problem)
            .bind(until.millis())
    )?;
    Ok(())
}

/// Anybody may try it from then on. `uncounted`: of its tries, those from which nobody learnt anything about the component.
pub async fn release_all_tenants(
    tx: &mut Tx,
    (digest, engine): (&str, &str),
    holder: &str,
    until: Timestamp,
    uncounted: i64,
) -> Result<()> {
    const SQL: &str = "UPDATE compile_work SET claimed_until = $4, tries = tries - $5
        WHERE digest = $1 AND engine = $2 AND holder = $3";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(digest)
            .bind(engine)
            .bind(holder)
            .bind(until.millis())
            .bind(uncounted)
    )?;
    Ok(())
}

/// It is done.
pub async fn done_all_tenants(tx: &mut Tx, digest: &str, engine: &str) -> Result<()> {
    const SQL: &str = "DELETE FROM compile_work WHERE digest = $1 AND engine = $2";
    execute!(tx, sqlx::query(SQL).bind(digest).bind(engine))?;
    Ok(())
}

/// Forgets the work on components that went meanwhile, and what came of it after they had: a component goes whoever compiles
/// it. Who is at it still finds no work to end. How many rows went.
pub async fn forget_gone_all_tenants(tx: &mut Tx) -> Result<u64> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM compile_work WHERE NOT EXISTS (SELECT 1 FROM component c WHERE c.digest = compile_work.digest)",
        "DELETE FROM artifact WHERE NOT EXISTS
            (SELECT 1 FROM component c WHERE c.tenant = artifact.tenant AND c.digest = artifact.digest)",
    ] {
        gone += execute!(tx, sqlx::query(sql))?;
    }
    Ok(gone)
}

/// Why it was refused does not hold any more: it may be tried at once.
pub async fn forget_problem_all_tenants(tx: &mut Tx, digest: &str, engine: &str) -> Result<()> {
    const SQL: &str =
        "DELETE FROM compile_work WHERE digest = $1 AND engine = $2 AND problem <> ''";
    execute!(tx, sqlx::query(SQL).bind(digest).bind(engine))?;
    Ok(())
}

/// Why there is no artifact of a component, if that is known. It stands while somebody tries it once more: turns do not wait
/// for that.
pub async fn problem_all_tenants(
    tx: &mut Tx,
    digest: &str,
    engine: &str,
) -> Result<Option<String>> {
    const SQL: &str =
        "SELECT problem FROM compile_work WHERE digest = $1 AND engine = $2 AND problem <> ''";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(digest)
            .bind(engine)
            .fetch_optional(conn)
            .await
    })?)
}

/// What is stored under a digest for one of those who uploaded it. Whether that is of the digest is for who reads it.
#[derive(Debug, FromRow)]
pub struct Source {
    pub tenant: i64,
    pub wasm: Vec<u8>,
}

/// A component as the next owner behind a tenant has it; `None` begins with the first.
pub async fn source_all_tenants(
    tx: &mut Tx,
    digest: &str,
    after: Option<i64>,
) -> Result<Option<Source>> {
    const SQL: &str =
        "SELECT tenant, wasm FROM component JOIN component_wasm USING (tenant, digest)
        WHERE digest = $1 AND tenant > $2 ORDER BY tenant LIMIT 1";
    const BEFORE_ALL: i64 = -1;
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(digest)
            .bind(after.unwrap_or(BEFORE_ALL))
            .fetch_optional(conn)
            .await
    })?)
}

/// Who has uploaded a component and has no artifact of this engine.
pub async fn owners_all_tenants(tx: &mut Tx, digest: &str, engine: &str) -> Result<Vec<TenantId>> {
    const SQL: &str = "SELECT c.tenant FROM component c WHERE c.digest = $1 AND NOT EXISTS (SELECT 1 FROM artifact a
            WHERE a.tenant = c.tenant AND a.digest = c.digest AND a.engine = $2) ORDER BY c.tenant";
    let owners: Vec<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(digest)
            .bind(engine)
            .fetch_all(conn)
            .await
    })?;
    Ok(owners.into_iter().map(TenantId::from_raw).collect())
}

/// Forgets artifacts of other engines that are older than this; at most so many. How many went.
pub async fn forget_other_engines_all_tenants(
    tx: &mut Tx,
    engine: &str,
    before: Timestamp,
    most: i64,
) -> Result<u64> {
    const SQL: &str = "DELETE FROM artifact WHERE (tenant, digest, engine) IN
        (SELECT tenant, digest, engine FROM artifact WHERE engine <> $1 AND created_at < $2 LIMIT $3)";
    Ok(execute!(
        tx,
        sqlx::query(SQL)
            .bind(engine)
            .bind(before.millis())
            .bind(most)
    )?)
}
