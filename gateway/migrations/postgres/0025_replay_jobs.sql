-- Two nodes may have counted a person's memory wrong as it was erased: counted anew, while nobody writes any. SQLite, which has one
-- writer, never did.
LOCK TABLE plugin_kv_usage IN EXCLUSIVE MODE;
UPDATE plugin_kv_usage u SET bytes = COALESCE((SELECT SUM(OCTET_LENGTH(k.item) + OCTET_LENGTH(k.value))
    FROM plugin_kv k WHERE k.tenant = u.tenant AND k.plugin = u.plugin), 0);
-- Reports of replays hold what people said, and are looked at by every erasure and each hour by retention: without an index of
-- their own every job was read for that. Few rows. Behind the above, as an erasure under way
-- writes to the two.
CREATE INDEX job_replay ON job (tenant, id) WHERE kind = 'installations.replay';
