-- Messages exchanged with warehouses, as letters are (docs/decisions/0036): which were taken in, and whether ours were read.

-- A message that was taken in, by what its sender counts it by: it is known when it comes again, and the same number with
-- another content is seen.
CREATE TABLE letter (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- The connector's name for it: who sends to whom, and the number.
    name TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, name),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- Within how many milliseconds after it was sent the receiver says that it has read it; NULL: it says nothing.
ALTER TABLE effect ADD COLUMN acknowledged_within BIGINT;
-- `read` or `refused`, and when the receiver said so.
ALTER TABLE effect ADD COLUMN receipt TEXT;
ALTER TABLE effect ADD COLUMN receipt_at BIGINT;
-- What still waits for its receipt.
CREATE INDEX effect_unacknowledged ON effect (tenant, merchant, connection, armed_at)
    WHERE acknowledged_within IS NOT NULL AND receipt IS NULL;
-- What carries a number, by it.
CREATE INDEX effect_by_number ON effect (tenant, merchant, connection, number) WHERE number IS NOT NULL;

-- Changes of figures that a warehouse gives reasons for: they explain a difference, and no figure is made of them.
CREATE TABLE stock_adjustment (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- The warehouse's name for it, and its line.
    reference TEXT NOT NULL,
    line BIGINT NOT NULL,
    sku TEXT NOT NULL,
    -- Signed.
    change TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_on BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, reference, line),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);
CREATE INDEX stock_adjustment_by_sku ON stock_adjustment (tenant, merchant, connection, sku, made_on);

GRANT SELECT, INSERT, UPDATE, DELETE ON letter, stock_adjustment TO millrace_app;
CREATE POLICY own ON letter TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE letter FORCE ROW LEVEL SECURITY;

CREATE POLICY own ON stock_adjustment TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE stock_adjustment ENABLE ROW LEVEL SECURITY;
ALTER TABLE stock_adjustment FORCE ROW LEVEL SECURITY;
