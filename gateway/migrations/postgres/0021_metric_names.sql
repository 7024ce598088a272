-- Names under which plugins count, by the day: how many different ones a plugin may begin on a day is bounded, and the rows of
-- `plugin_metric` stay for a year.
CREATE TABLE plugin_metric_name (
    tenant BIGINT NOT NULL,
    plugin TEXT NOT NULL,
    day BIGINT NOT NULL, -- since 1970
    name TEXT NOT NULL,
    PRIMARY KEY (tenant, plugin, day, name)
);
-- What is old enough to be forgotten.
CREATE INDEX plugin_metric_name_by_age ON plugin_metric_name (day);
