-- Whatever a list is limited to, an index gives its page: see db/lists.rs.

-- The words a shipment is found by, lower case: a search is for beginnings of words.
CREATE TABLE shipment_word (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    shipment TEXT NOT NULL,
    -- Of the warehouse's own id, the request's key, the order's number, tracking numbers.
    word TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, shipment, word),
    FOREIGN KEY (tenant, merchant, shipment) REFERENCES shipment (tenant, merchant, id)
);
CREATE INDEX shipment_word_found ON shipment_word (tenant, word, shipment, merchant);
-- What is there already, from the line that was searched until now: each word, and what is left of it from each part on.
INSERT INTO shipment_word (tenant, merchant, shipment, word)
WITH RECURSIVE piece (tenant, merchant, id, word, rest) AS (
    SELECT tenant, merchant, id, '', search || ' ' FROM shipment
    UNION ALL
    SELECT tenant, merchant, id, trim(substr(rest, 1, instr(rest, ' ') - 1), ',;()"'), substr(rest, instr(rest, ' ') + 1)
    FROM piece WHERE rest <> ''
),
part (tenant, merchant, id, word, rest, inside) AS (
    SELECT tenant, merchant, id, word, word, 1 FROM piece WHERE word <> ''
    UNION ALL
    SELECT tenant, merchant, id,
        CASE WHEN inside = 0 AND length(rest) > 2
            AND (substr(rest, 2, 1) GLOB '[0-9a-z]' OR unicode(substr(rest, 2, 1)) > 127) THEN substr(rest, 2) END,
        substr(rest, 2), substr(rest, 2, 1) GLOB '[0-9a-z]' OR unicode(substr(rest, 2, 1)) > 127
    FROM part WHERE length(rest) > 1
)
SELECT tenant, merchant, id, substr(word, 1, 64) FROM part WHERE word IS NOT NULL
UNION
SELECT s.tenant, s.merchant, s.id, CAST(o.order_id AS TEXT) FROM shipment AS s
JOIN orders AS o ON o.tenant = s.tenant AND o.merchant = s.merchant AND o.id = s.order_ref;

-- How far the source knows of a shipment, and whether a person is needed for it: what lists of shipments are read by.
ALTER TABLE shipment ADD COLUMN told TEXT NOT NULL GENERATED ALWAYS AS (
    CASE WHEN confirmed_at IS NULL THEN CASE WHEN problem IS NULL THEN 'open' ELSE 'open_stopped' END
        WHEN problem IS NULL THEN 'told' ELSE 'told_stopped' END) VIRTUAL;
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
