-- What the web role keeps.

-- Where remote systems call us. The path is drawn once; the secret that calls carry is sealed in `secret` under this id.
CREATE TABLE hook (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Id of the store or warehouse.
    object TEXT NOT NULL,
    -- Last part of the address.
    path TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    -- The address was seen to be reachable from outside.
    reached_at BIGINT,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, object),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant)
);

-- Requests that carried an Idempotency-Key, with their answers.
CREATE TABLE repeatable (
    tenant TEXT NOT NULL,
    -- Who asked.
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of method, path and body.
    request_sha256 TEXT NOT NULL,
    -- NULL while it runs.
    status BIGINT,
    answer TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, actor, key),
    FOREIGN KEY (tenant) REFERENCES tenant (tenant)
);
