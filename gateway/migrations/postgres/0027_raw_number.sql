-- Bodies wait by number, not by bucket: a flood for one number keeps nobody waiting whose number shares its bucket.
-- 0: anybody's of its bucket (several numbers', or written by an earlier version); -1: of no number that was known.
ALTER TABLE inbound_raw ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
DROP INDEX inbound_raw_todo;
CREATE INDEX inbound_raw_todo ON inbound_raw (id, bucket, number, received_at) WHERE attached_at = 0;
