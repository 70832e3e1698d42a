-- Organisations come and go: one that is disabled keeps its data, and nothing of it works.
ALTER TABLE tenant ADD COLUMN disabled_at BIGINT;

-- The looks across tenants, made anew: whatever lets somebody in, or is work to do, is not there while its tenant is disabled.
DROP FUNCTION all_tenants();
DROP FUNCTION connections_to_run();
DROP FUNCTION api_key_by_hash(text);
DROP FUNCTION hook_by_path(text);
DROP FUNCTION person_by_email(text);
DROP FUNCTION link_by_hash(text);
DROP FUNCTION session_by_hash(text);
-- Set-up is over once its own tenant has anybody.
DROP FUNCTION number_of_people();

CREATE FUNCTION all_tenants() RETURNS TABLE (tenant text, name text, created_at bigint, disabled_at bigint)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT t.tenant, t.name, t.created_at, t.disabled_at FROM tenant t ORDER BY t.tenant
$$;
CREATE FUNCTION connections_to_run()
RETURNS TABLE (tenant text, merchant text, id text, revision bigint, account text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT c.tenant, c.merchant, c.id, c.revision, s.account
    FROM connection c JOIN store s ON s.tenant = c.tenant AND s.merchant = c.merchant AND s.id = c.store
    WHERE c.enabled = 1
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = c.tenant AND t.disabled_at IS NOT NULL)
    ORDER BY c.tenant, c.merchant, c.id
$$;
CREATE FUNCTION api_key_by_hash(wanted text)
RETURNS TABLE (tenant text, id text, name text, role text, merchant text, created_at bigint, expires_at bigint,
    last_used_at bigint, revoked_at bigint)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT k.tenant, k.id, k.name, k.role, k.merchant, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
    FROM api_key k WHERE k.hash = wanted
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = k.tenant AND t.disabled_at IS NOT NULL)
$$;
CREATE FUNCTION hook_by_path(wanted text) RETURNS TABLE (tenant text, merchant text, id text, object text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT h.tenant, h.merchant, h.id, h.object FROM hook h WHERE h.path = wanted
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = h.tenant AND t.disabled_at IS NOT NULL)
$$;
CREATE FUNCTION person_by_email(wanted text) RETURNS TABLE (tenant text, id text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT p.tenant, p.id FROM person p WHERE p.email = wanted
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = p.tenant AND t.disabled_at IS NOT NULL)
    ORDER BY p.created_at, p.id LIMIT 1
$$;
CREATE FUNCTION link_by_hash(wanted text) RETURNS TABLE (tenant text, id text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT l.tenant, l.id FROM person_link l WHERE l.hash = wanted
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = l.tenant AND t.disabled_at IS NOT NULL)
$$;
CREATE FUNCTION session_by_hash(wanted text) RETURNS TABLE (tenant text, id text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT s.tenant, s.id FROM session s WHERE s.hash = wanted
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = s.tenant AND t.disabled_at IS NOT NULL)
$$;
DO $$
DECLARE
    name text;
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO millrace_system', current_schema());
    FOREACH name IN ARRAY ARRAY['all_tenants()', 'connections_to_run()', 'api_key_by_hash(text)', 'hook_by_path(text)',
        'person_by_email(text)', 'link_by_hash(text)', 'session_by_hash(text)']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO millrace_app', name);
        EXECUTE format('ALTER FUNCTION %s OWNER TO millrace_system', name);
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM millrace_system', current_schema());
END $$;
