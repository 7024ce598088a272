-- Bodies that wait are read in the order of their ids, from where the last reading ended: by bucket it was a search in the index
-- for each of 256, and on PostgreSQL a walk over every body that had been attached since the last vacuum.
DROP INDEX inbound_raw_todo;
CREATE INDEX inbound_raw_todo ON inbound_raw (id, bucket, received_at) WHERE attached_at = 0;
