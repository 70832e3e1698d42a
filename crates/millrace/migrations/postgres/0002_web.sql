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

GRANT SELECT, INSERT, UPDATE, DELETE ON hook, repeatable TO millrace_app;
CREATE POLICY own ON hook TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'));
CREATE POLICY own ON repeatable TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true)));
ALTER TABLE hook ENABLE ROW LEVEL SECURITY;
ALTER TABLE hook FORCE ROW LEVEL SECURITY;
ALTER TABLE repeatable ENABLE ROW LEVEL SECURITY;
ALTER TABLE repeatable FORCE ROW LEVEL SECURITY;

-- A call names nobody but its path: the one look across tenants that finds whose it is.
GRANT SELECT ON hook TO millrace_system;
CREATE POLICY narrow ON hook FOR SELECT TO millrace_system USING (true);
CREATE FUNCTION hook_by_path(wanted text) RETURNS TABLE (tenant text, merchant text, id text, object text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT h.tenant, h.merchant, h.id, h.object FROM hook h WHERE h.path = wanted
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION hook_by_path(text) SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION hook_by_path(text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION hook_by_path(text) TO millrace_app;
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO millrace_system', current_schema());
    ALTER FUNCTION hook_by_path(text) OWNER TO millrace_system;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM millrace_system', current_schema());
END $$;
