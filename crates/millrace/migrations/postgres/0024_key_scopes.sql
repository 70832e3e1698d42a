-- The parts of the API that a key is limited to, with spaces between; empty: to none.
ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT '';

-- Whoever comes with a key is not known before it is found: now with what it is limited to.
DROP FUNCTION api_key_by_hash(text);
CREATE FUNCTION api_key_by_hash(wanted text)
RETURNS TABLE (tenant text, id text, name text, role text, merchant text, created_at bigint, expires_at bigint,
    last_used_at bigint, revoked_at bigint, warehouse text, scopes text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT k.tenant, k.id, k.name, k.role, k.merchant, k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
        k.warehouse, k.scopes
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
