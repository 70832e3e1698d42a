-- Stock corrections beside the journal: which run each came from and what it takes back; and products that a person keeps out of
-- stock.

-- One row for each correction in the journal.
CREATE TABLE correction (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    effect TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- The run whose line it is or takes back; NULL for the inverse of one that came late.
    run TEXT,
    -- `run`: a line of a run; `undo`: a person took one back; `late`: the inverse of one that showed after it was given up.
    origin TEXT NOT NULL,
    warehouse_id BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    -- Signed, whole units.
    difference TEXT NOT NULL,
    -- The correction that it takes back.
    undoes TEXT,
    -- 1: it takes nothing back, because certainly nothing of it happened; another may.
    given_up BIGINT NOT NULL,
    planned_at BIGINT NOT NULL,
    -- Its marker showed at the source after it was given up.
    found_at BIGINT,
    found_note TEXT,
    PRIMARY KEY (tenant, merchant, effect),
    FOREIGN KEY (tenant, merchant, effect) REFERENCES effect (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);
CREATE INDEX correction_by_run ON correction (tenant, merchant, connection, run);
CREATE INDEX correction_by_product ON correction (tenant, merchant, connection, warehouse_id, product_id);
-- Whatever happens, nothing is taken back twice.
CREATE UNIQUE INDEX correction_taken_back ON correction (tenant, merchant, undoes)
    WHERE undoes IS NOT NULL AND given_up = 0;
-- Corrections that were given up after they may have been sent: looked for until a day has passed.
CREATE INDEX effect_given_up ON effect (tenant, merchant, connection, changed_at)
    WHERE kind = 'correct_stock' AND state = 'voided';

-- Products whose stock is not written until a person releases them.
CREATE TABLE stock_hold (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    warehouse_id BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    -- As people know it.
    sku TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, warehouse_id, product_id),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- The facilities a feed speaks of, one a line: two facilities' feeds are newer or older each for itself.
ALTER TABLE stock_run ADD COLUMN facilities TEXT NOT NULL DEFAULT '';

GRANT SELECT, INSERT, UPDATE, DELETE ON correction, stock_hold TO millrace_app;
CREATE POLICY own ON correction TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'));
CREATE POLICY own ON stock_hold TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'));
ALTER TABLE correction ENABLE ROW LEVEL SECURITY;
ALTER TABLE correction FORCE ROW LEVEL SECURITY;
ALTER TABLE stock_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE stock_hold FORCE ROW LEVEL SECURITY;
