-- The census: comparing what the source, the hub and the warehouse hold.

-- The last run of each extent, and what it showed.
CREATE TABLE census (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- `recent`, `full`.
    extent TEXT NOT NULL,
    -- The first run is due so long after this as any other after the one before.
    begun_at BIGINT NOT NULL,
    wanted_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    -- What the last run failed of.
    problem TEXT,
    unaccounted BIGINT,
    -- Compressed JSON; of the last run that went to its end.
    report BYTEA,
    PRIMARY KEY (tenant, merchant, connection, extent),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- What a comparison showed to be wrong. It never acts by itself.
CREATE TABLE finding (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- What it is about; with the kind it tells repeats apart.
    subject TEXT NOT NULL,
    -- The source's order id, where it is about an order.
    order_id BIGINT,
    what TEXT NOT NULL,
    -- Seen first, in the present spell.
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    -- Gone at the next look, or settled by a person.
    resolved_at BIGINT,
    -- The person who pressed the button, when, why, and the effect that came of it.
    repair_by TEXT,
    repair_at BIGINT,
    repair_reason TEXT,
    repair_effect TEXT,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, connection, kind, subject),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, repair_effect) REFERENCES effect (tenant, merchant, id)
);
CREATE INDEX finding_open ON finding (tenant, merchant, connection, id) WHERE resolved_at IS NULL;

CREATE INDEX orders_by_change ON orders (tenant, merchant, connection, changed_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON census, finding TO millrace_app;
CREATE POLICY own ON census TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'));
CREATE POLICY own ON finding TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'));
ALTER TABLE census ENABLE ROW LEVEL SECURITY;
ALTER TABLE census FORCE ROW LEVEL SECURITY;
ALTER TABLE finding ENABLE ROW LEVEL SECURITY;
ALTER TABLE finding FORCE ROW LEVEL SECURITY;
