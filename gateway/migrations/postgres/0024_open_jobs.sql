-- How many jobs of a kind a tenant has open: asked before each that is queued. Few rows, those that are over are not in it.
CREATE INDEX job_open ON job (tenant, kind) WHERE state IN ('queued', 'running');
