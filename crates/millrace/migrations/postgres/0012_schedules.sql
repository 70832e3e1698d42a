-- Schedules of channels, and what became of each run.

-- The time zone of the rules, the rules as JSON, and when they were set; all NULL: the channel's own pace (every_seconds).
ALTER TABLE channel ADD COLUMN zone TEXT;
ALTER TABLE channel ADD COLUMN rules TEXT;
ALTER TABLE channel ADD COLUMN scheduled_at BIGINT;
-- Which person asked for the run that is wanted; NULL: something that happened.
ALTER TABLE channel ADD COLUMN wanted_by TEXT;

-- One run of a channel. Kept for a week.
CREATE TABLE channel_run (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    -- `pace`, `schedule`, `event`, `person`, and which person.
    cause TEXT NOT NULL,
    asked_by TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- `done`, `failed`, `cut_off`; NULL until it has ended.
    outcome TEXT,
    -- What it did or failed of, in words, and in numbers (JSON).
    told TEXT NOT NULL,
    counts TEXT NOT NULL,
    -- How far it has come, and how much there is, once known.
    done BIGINT NOT NULL,
    total BIGINT,
    PRIMARY KEY (tenant, merchant, connection, kind, id),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);
-- One at a time per channel.
CREATE UNIQUE INDEX channel_run_open ON channel_run (tenant, merchant, connection, kind) WHERE ended_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON channel_run TO millrace_app;
CREATE POLICY own ON channel_run TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE channel_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE channel_run FORCE ROW LEVEL SECURITY;
