-- Reports of replays hold what people said, and are looked at by every erasure and each hour by retention: without an index of
-- their own every job was read for that. Few rows.
CREATE INDEX job_replay ON job (tenant, id) WHERE kind = 'installations.replay';
