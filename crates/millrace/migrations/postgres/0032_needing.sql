-- Orders that need a person are few among all: see db/troubles.rs. Their reasons may be longer than an entry of an index here.
CREATE INDEX orders_needing ON orders (tenant, merchant, connection, state, disposition, id)
    WHERE state IN ('error', 'held');
