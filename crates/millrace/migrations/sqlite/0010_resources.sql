-- Finding orders by any word of theirs, edits before sending, and previews of bulk actions.

-- The words an order is found by, lower case: a search is for beginnings of words.
CREATE TABLE order_word (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    word TEXT NOT NULL,
    -- `order`: number, reference, names, address, e-mail, SKUs; `shipment`: tracking numbers and the warehouse's own number.
    origin TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, order_ref, word, origin),
    FOREIGN KEY (tenant, merchant, order_ref) REFERENCES orders (tenant, merchant, id)
);
CREATE INDEX order_word_found ON order_word (tenant, word, order_ref);
-- What is there already, from the line that was searched until now; an order's SKUs follow when it is read next.
INSERT INTO order_word (tenant, merchant, order_ref, word, origin)
WITH RECURSIVE piece (tenant, merchant, id, word, rest) AS (
    SELECT tenant, merchant, id, '', replace(search, ',', '') || ' ' FROM orders
    UNION ALL
    SELECT tenant, merchant, id, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1)
    FROM piece WHERE rest <> ''
)
SELECT DISTINCT tenant, merchant, id, word, 'order' FROM piece WHERE word <> '';
INSERT INTO order_word (tenant, merchant, order_ref, word, origin)
WITH RECURSIVE piece (tenant, merchant, id, word, rest) AS (
    SELECT tenant, merchant, order_ref, '', search || ' ' FROM shipment WHERE order_ref IS NOT NULL
    UNION ALL
    SELECT tenant, merchant, id, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1)
    FROM piece WHERE rest <> ''
)
SELECT DISTINCT tenant, merchant, id, word, 'shipment' FROM piece WHERE word <> '';

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
