//! All of a tenant's state that a webhook can change, as lines of text, the same on both databases.

use vestibule::domain::{NumberId, TenantId};
use vestibule_tests::TestDatabase;

/// Lines in the order of what happened.
#[derive(Debug)]
pub struct State(pub Vec<String>);

/// One query: a connection for each part would take longer than everything else. `{t}` is the tenant, `{n}` its number;
/// events of nobody's since it was added are told too, because a webhook that names nobody causes such. People are told
/// by their rank. What is nobody's or an account's comes first: it is attached in the app's bucket, and which of two
/// buckets is first is chance.
const QUERY: &str = "
    SELECT line FROM (
        SELECT CASE WHEN e.tenant = 0 THEN -1 WHEN e.kind = 4 THEN 0 ELSE 1 END AS part, e.id AS id,
            'event ' || CASE e.kind WHEN 1 THEN 'message' WHEN 2 THEN 'stale' WHEN 3 THEN 'notice' WHEN 4 THEN 'account'
                ELSE 'kept' END || CASE WHEN e.tenant = 0 THEN ' of nobody' ELSE '' END
            || ' at ' || CASE WHEN e.kind = 9 THEN '-' ELSE CAST(e.at AS TEXT) END
            || CASE WHEN e.seq > 0 THEN ', turn ' || CAST(e.seq AS TEXT) ELSE '' END
            || CASE WHEN e.contact = 0 THEN '' ELSE ', person ' || {who e.contact} END
            || CASE WHEN e.contact <> 0 AND e.conversation = 0 THEN ' without a conversation' ELSE '' END
            || CASE e.word WHEN 1 THEN ', consent word' WHEN 2 THEN ', wants a human' ELSE '' END
            || ': ' || e.wamid || ' ' || e.content AS line
        FROM inbound_event e WHERE e.tenant = {t} OR (e.tenant = 0 AND e.id > {n})
        UNION ALL SELECT 2, p.id, 'person ' || {who p.id} || ': ' || p.display_name || ' @' || p.username || ', phone '
            || p.phone || ', bsuid ' || p.bsuid || ', parent ' || p.parent_bsuid || ', moved ' || CAST(p.moved_at AS TEXT)
            FROM contact p WHERE p.tenant = {t}
        UNION ALL SELECT 3, i.contact, 'identity ' || CAST(i.kind AS TEXT) || ' ' || i.value || ' of person '
            || {who i.contact} || ', superseded ' || CAST(i.superseded_at AS TEXT)
            FROM identity i WHERE i.tenant = {t}
        UNION ALL SELECT 4, c.contact, 'consent of person ' || {who c.contact} || ': opted out ' || CAST(c.opt_out AS TEXT)
            || ' at ' || CAST(c.since AS TEXT) || ', replies open since ' || CAST(c.reopened_at AS TEXT)
            || ', stopped at Meta ' || CAST(c.meta_stopped_at AS TEXT)
            || CASE WHEN c.merged_into = 0 THEN '' ELSE ', merged into ' || {who c.merged_into} END
            FROM consent c WHERE c.tenant = {t}
        UNION ALL SELECT 5, v.id, 'conversation of person ' || {who v.contact} || ': owner ' || CAST(v.owner AS TEXT) || ' '
            || v.owner_name || ', next ' || CAST(v.next_seq AS TEXT) || ', window opened ' || CAST(v.last_inbound_at AS TEXT)
            || ', closed ' || CAST(v.closed_by_meta_at AS TEXT) || ', from ' || v.referral || ' at '
            || CAST(v.referral_at AS TEXT) || ', free until ' || CAST(v.free_until AS TEXT)
            || ', handed over ' || CAST(v.handover_at AS TEXT)
            FROM conversation v WHERE v.tenant = {t}
        UNION ALL SELECT 6, o.id, 'owner: ' || o.change FROM owner_log o WHERE o.tenant = {t}
        UNION ALL SELECT 7, h.id, 'hold of scope ' || CAST(h.scope AS TEXT) || ' ' || h.name || ' ' || h.language || ' by '
            || h.placed_by || ', until ' || CAST(h.until_at AS TEXT)
            || CASE WHEN h.lifted_at = 0 THEN '' ELSE ', lifted' END
            FROM hold h WHERE h.tenant = {t}
        UNION ALL SELECT 8, f.at, 'fact of ' || CASE f.kind WHEN 1 THEN 'account' WHEN 2 THEN 'number' WHEN 3 THEN 'template'
                ELSE 'flow' END || ' ' || f.account || ' ' || f.name || ' ' || f.language || ' at ' || CAST(f.at AS TEXT)
            || ': ' || f.fact || ' = ' || f.value
            FROM account_fact f WHERE f.tenant = {t}
        UNION ALL SELECT 9, b.id, 'number: ' || CAST(b.throughput AS TEXT) || ' a second' FROM number b WHERE b.id = {n}
        UNION ALL SELECT 10, s.id, 'send ' || (SELECT CAST(COUNT(*) AS TEXT) FROM outbox w WHERE w.tenant = {t} AND w.id <= s.id)
            || ': state ' || CAST(s.state AS TEXT) || ' ' || s.reason || ', receipt ' || CAST(s.receipt AS TEXT)
            || ', error ' || CAST(s.error AS TEXT)
            FROM outbox s WHERE s.tenant = {t}
    ) AS lines ORDER BY part, lines.id, line";

pub async fn state(database: &TestDatabase, tenant: TenantId, number: NumberId) -> Vec<String> {
    let mut query = QUERY.replace("{n}", &number.raw().to_string());
    while let Some(start) = query.find("{who ") {
        let end = start + query[start..].find('}').expect("a brace");
        let column = query[start + 5..end].to_owned();
        let rank = format!(
            "(SELECT CAST(COUNT(*) AS TEXT) FROM contact w WHERE w.tenant = {{t}} AND w.id <= {column})"
        );
        query.replace_range(start..=end, &rank);
    }
    let query = query.replace("{t}", &tenant.raw().to_string());
    // Queries are static by the harness's rule; a test's few may stay in memory.
    database.texts(query.leak()).await
}
