-- Warehouses that call us: what waits for them, what they have said, and keys that are theirs alone
-- (docs/decisions/0033).

-- One row for each such warehouse. Whoever writes about it takes the next number first, and so waits for the others: the
-- numbers of what is committed have no gap behind which something could still appear.
CREATE TABLE desk (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    warehouse TEXT NOT NULL,
    reached BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, warehouse),
    FOREIGN KEY (tenant, merchant, warehouse) REFERENCES warehouse (tenant, merchant, id)
);

-- Shipment requests that lie there.
CREATE TABLE desk_request (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    warehouse TEXT NOT NULL,
    key TEXT NOT NULL,
    number BIGINT NOT NULL,
    -- The request as it was laid there; it never changes.
    content BYTEA NOT NULL,
    -- `waiting`, `acknowledged`, `closed`, `cancelled`, `given_up`.
    state TEXT NOT NULL,
    -- `none`, `asked`, `too_late`.
    cancel TEXT NOT NULL,
    -- Who pulled it last, until when it is kept for them, and how often it was pulled.
    lease TEXT,
    leased_until BIGINT NOT NULL,
    offered BIGINT NOT NULL,
    -- What the warehouse calls it, and why it gave it up.
    reference TEXT NOT NULL,
    reason TEXT NOT NULL,
    put_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, warehouse, key),
    UNIQUE (tenant, merchant, warehouse, number),
    FOREIGN KEY (tenant, merchant, warehouse) REFERENCES desk (tenant, merchant, warehouse)
);
CREATE INDEX desk_request_by_state ON desk_request (tenant, merchant, warehouse, state, number);

-- What the warehouse has said, in the order in which it was taken in.
CREATE TABLE desk_post (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    warehouse TEXT NOT NULL,
    -- `shipment`, `count`, `state`.
    kind TEXT NOT NULL,
    -- The warehouse's own id of it; a state has none, and is called by its request and number.
    id TEXT NOT NULL,
    number BIGINT NOT NULL,
    -- Key of the request; empty for counts.
    request TEXT NOT NULL,
    content BYTEA NOT NULL,
    -- Of what was posted: the same id with another content is refused.
    content_sha256 TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- When a count was dealt with.
    put_away_at BIGINT,
    PRIMARY KEY (tenant, merchant, warehouse, kind, id),
    UNIQUE (tenant, merchant, warehouse, number),
    FOREIGN KEY (tenant, merchant, warehouse) REFERENCES desk (tenant, merchant, warehouse)
);
CREATE INDEX desk_post_by_request ON desk_post (tenant, merchant, warehouse, request, number);

-- A key of a warehouse: it opens the Warehouse API for that one and nothing else.
ALTER TABLE api_key ADD COLUMN warehouse TEXT;

GRANT SELECT, INSERT, UPDATE, DELETE ON desk, desk_request, desk_post TO millrace_app;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['desk', 'desk_request', 'desk_post']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app
            USING (tenant = (SELECT current_setting(''millrace.tenant'', true))
                AND (merchant = (SELECT current_setting(''millrace.merchant'', true))
                    OR (SELECT current_setting(''millrace.merchant'', true)) = ''*''
                    OR merchant = ANY ((SELECT string_to_array(current_setting(''millrace.merchant'', true), '',''))::text[])))', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;

-- Whoever comes with a key is not known before it is found: now with the warehouse that it is limited to.
DROP FUNCTION api_key_by_hash(text);
CREATE FUNCTION api_key_by_hash(wanted text)
RETURNS TABLE (tenant text, id text, name text, role text, merchant text, created_at bigint, expires_at bigint,
    last_used_at bigint, revoked_at bigint, warehouse text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT k.tenant, k.id, k.name, k.role, k.merchant, k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
        k.warehouse
    FROM api_key k WHERE k.hash = wanted
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = k.tenant AND t.disabled_at IS NOT NULL)
$$;
DO $$
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO millrace_system', current_schema());
    EXECUTE format('ALTER FUNCTION api_key_by_hash(text) SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION api_key_by_hash(text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION api_key_by_hash(text) TO millrace_app;
    ALTER FUNCTION api_key_by_hash(text) OWNER TO millrace_system;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM millrace_system', current_schema());
END $$;
