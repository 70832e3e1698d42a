-- Whatever a list is limited to, an index gives its page: see db/lists.rs.

-- The words a shipment is found by, lower case: a search is for beginnings of words.
CREATE TABLE shipment_word (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    shipment TEXT NOT NULL,
    -- Of the warehouse's own id, the request's key, the order's number, tracking numbers.
    word TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, merchant, shipment, word),
    FOREIGN KEY (tenant, merchant, shipment) REFERENCES shipment (tenant, merchant, id)
);
CREATE INDEX shipment_word_found ON shipment_word (tenant, word, shipment, merchant);
-- The owner of the tables is held off by their policies too, and has to see all rows once.
ALTER TABLE orders NO FORCE ROW LEVEL SECURITY;
ALTER TABLE shipment NO FORCE ROW LEVEL SECURITY;
-- What is there already, from the line that was searched until now: each word, and what is left of it from each part on.
INSERT INTO shipment_word (tenant, merchant, shipment, word)
SELECT s.tenant, s.merchant, s.id, substr(w.word, p.place, 64) FROM shipment AS s
CROSS JOIN LATERAL (SELECT btrim(piece, ',;()"') AS word FROM regexp_split_to_table(s.search, ' ') AS piece) AS w
CROSS JOIN LATERAL generate_series(1, length(w.word)) AS p (place)
WHERE p.place = 1 OR (p.place < length(w.word)
    AND substr(w.word, p.place, 1) ~ '[[:alnum:]]' AND substr(w.word, p.place - 1, 1) !~ '[[:alnum:]]')
UNION
SELECT s.tenant, s.merchant, s.id, o.order_id::text FROM shipment AS s
JOIN orders AS o ON o.tenant = s.tenant AND o.merchant = s.merchant AND o.id = s.order_ref;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
ALTER TABLE shipment FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON shipment_word TO millrace_app;
CREATE POLICY own ON shipment_word TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE shipment_word ENABLE ROW LEVEL SECURITY;
ALTER TABLE shipment_word FORCE ROW LEVEL SECURITY;

-- How far the source knows of a shipment, and whether a person is needed for it: what lists of shipments are read by.
ALTER TABLE shipment ADD COLUMN told TEXT NOT NULL GENERATED ALWAYS AS (
    CASE WHEN confirmed_at IS NULL THEN CASE WHEN problem IS NULL THEN 'open' ELSE 'open_stopped' END
        WHEN problem IS NULL THEN 'told' ELSE 'told_stopped' END) STORED;
CREATE INDEX shipment_told ON shipment (tenant, told, id);
CREATE INDEX shipment_told_of_connection ON shipment (tenant, merchant, connection, told, id);
DROP INDEX shipment_of_connection;
DROP INDEX shipment_unconfirmed;
DROP INDEX shipment_problem;

-- Effects of one kind, of each state by itself, newest first. Whose they are is seen in the index.
CREATE INDEX effect_of_kind ON effect (tenant, kind, state, id, connection, merchant);

-- Orders outside of the dates that are asked for are passed over in the index alone.
DROP INDEX orders_by_state;
CREATE INDEX orders_by_state ON orders (tenant, merchant, connection, state, id, placed_at, imported_at);
DROP INDEX orders_in_state;
CREATE INDEX orders_in_state ON orders (tenant, state, id, merchant, connection, placed_at, imported_at);

-- So are exceptions and findings that were dealt with, and deliveries in another state.
CREATE INDEX exception_newest ON exception (tenant, id, resolved_at, connection);
CREATE INDEX finding_newest ON finding (tenant, id, resolved_at, connection, kind);
DROP INDEX delivery_by_outlet;
CREATE INDEX delivery_by_outlet ON delivery (tenant, merchant, outlet, id, state);
