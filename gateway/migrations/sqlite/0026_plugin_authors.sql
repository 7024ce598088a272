-- Which tenant wrote an upload that the operator gave to all: it sees how all of its installations do. 0: nobody is named.
ALTER TABLE component ADD COLUMN author BIGINT NOT NULL DEFAULT 0;
-- Of a version's grants those that an earlier one had already, each with who gave it and when: JSON object. The others were
-- given by granted_by at granted_at.
ALTER TABLE installation_version ADD COLUMN inherited TEXT NOT NULL DEFAULT '{}';
-- Changes of a tenant's setup, and which versions of a plugin are in use: whoever asks holds SQLite's one writer, or is anybody.
CREATE INDEX installation_of_tenant ON installation (tenant, plugin, number);
CREATE INDEX installation_of_plugin ON installation (plugin) WHERE state <> 'retired';
