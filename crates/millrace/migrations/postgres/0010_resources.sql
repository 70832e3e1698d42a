-- Finding orders by any word of theirs, edits before sending, and previews of bulk actions.

-- The words an order is found by, lower case: a search is for beginnings of words.
CREATE TABLE order_word (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    word TEXT COLLATE "C" NOT NULL,
    -- `order`: number, reference, names, address, e-mail, SKUs; `shipment`: tracking numbers and the warehouse's own number.
    origin TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, order_ref, word, origin),
    FOREIGN KEY (tenant, merchant, order_ref) REFERENCES orders (tenant, merchant, id)
);
CREATE INDEX order_word_found ON order_word (tenant, word, order_ref);
-- The owner of the tables is held off by their policies too, and has to see all rows once.
ALTER TABLE orders NO FORCE ROW LEVEL SECURITY;
ALTER TABLE shipment NO FORCE ROW LEVEL SECURITY;
-- What is there already, from the line that was searched until now; an order's SKUs follow when it is read next.
INSERT INTO order_word (tenant, merchant, order_ref, word, origin)
SELECT DISTINCT tenant, merchant, id, word, 'order'
FROM orders, regexp_split_to_table(replace(search, ',', ''), ' ') AS word WHERE word <> '';
INSERT INTO order_word (tenant, merchant, order_ref, word, origin)
SELECT DISTINCT tenant, merchant, order_ref, word, 'shipment'
FROM shipment, regexp_split_to_table(search, ' ') AS word WHERE word <> '' AND order_ref IS NOT NULL;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
ALTER TABLE shipment FORCE ROW LEVEL SECURITY;

-- Lists are newest first: over a tenant, and of one state.
CREATE INDEX orders_newest ON orders (tenant, id);
CREATE INDEX orders_in_state ON orders (tenant, state, id, merchant, connection, placed_at);
CREATE INDEX shipment_newest ON shipment (tenant, id);
CREATE INDEX stock_run_waiting ON stock_run (tenant, merchant, connection) WHERE state = 'waiting';

-- What a person wants otherwise than the source says, of an order that has not been sent. It holds as long as the source says
-- what it said then.
CREATE TABLE order_edit (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    -- `ship_to`, `ship_method`, `deliver_on`, `notes`.
    field TEXT NOT NULL,
    -- JSON.
    value TEXT NOT NULL,
    -- What the source said when it was edited, JSON.
    base TEXT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, order_ref, field),
    FOREIGN KEY (tenant, merchant, order_ref) REFERENCES orders (tenant, merchant, id)
);
-- Grows with every edit: what was decided from an older one is not kept.
ALTER TABLE orders ADD COLUMN edition BIGINT NOT NULL DEFAULT 0;

-- A bulk action that a person has seen the outcome of, and may carry out once.
CREATE TABLE bulk_preview (
    tenant TEXT NOT NULL REFERENCES tenant (tenant),
    token_sha256 TEXT NOT NULL,
    actor TEXT NOT NULL,
    -- `retry`, `hold`, `release`, `archive`, `unarchive`, `cancel`.
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- Ids, JSON.
    orders TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, token_sha256)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON order_word, order_edit, bulk_preview TO millrace_app;
CREATE POLICY own ON order_word TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE order_word ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_word FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON order_edit TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE order_edit ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_edit FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON bulk_preview TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true)));
ALTER TABLE bulk_preview ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulk_preview FORCE ROW LEVEL SECURITY;
