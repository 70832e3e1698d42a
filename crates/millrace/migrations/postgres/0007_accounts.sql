-- People who sign in: how they come in, what they prove themselves with, and for how long.

-- 1: an administrator of the whole installation.
ALTER TABLE person ADD COLUMN installation BIGINT NOT NULL DEFAULT 0;
-- The second factor's secret, sealed under the person's id; `factor_version` counts its changes and is part of what binds it.
ALTER TABLE person ADD COLUMN factor_sealed BYTEA;
ALTER TABLE person ADD COLUMN factor_key_version BIGINT;
ALTER TABLE person ADD COLUMN factor_version BIGINT NOT NULL DEFAULT 0;
-- When its first code was given; until then it is not asked for.
ALTER TABLE person ADD COLUMN factor_since BIGINT;
-- The last step of 30 seconds whose code was used: no code is taken twice.
ALTER TABLE person ADD COLUMN factor_step BIGINT;
CREATE INDEX person_by_email ON person (email, created_at);

-- Links that let somebody in once: the first administrator, invited people, and people who lost their password.
CREATE TABLE person_link (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- setup, invitation, reset.
    kind TEXT NOT NULL,
    -- SHA-256 of its token, hex: the token itself is not kept.
    hash TEXT NOT NULL UNIQUE,
    -- Whose password it sets; NULL where it makes a person.
    person TEXT,
    -- Of the person to be made; empty for set-up, where the person says.
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    -- Ids, JSON; NULL: all of the tenant's.
    merchants TEXT,
    installation BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    withdrawn_at BIGINT,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant) REFERENCES tenant (tenant),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);

-- Who is signed in.
CREATE TABLE session (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    person TEXT NOT NULL,
    -- SHA-256 of its token, hex.
    hash TEXT NOT NULL UNIQUE,
    -- Where it was begun, and what the browser calls itself.
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    -- When the person last gave the password.
    proved_at BIGINT NOT NULL,
    -- When it was last used, to the minute.
    seen_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);
CREATE INDEX session_by_person ON session (tenant, person);

-- What lets a person in who has lost the second factor: each once.
CREATE TABLE recovery_code (
    tenant TEXT NOT NULL,
    person TEXT NOT NULL,
    -- SHA-256 of the code, hex.
    hash TEXT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant, person, hash),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);

-- How often signing in failed, by account and by address; known to all nodes. It belongs to the installation: at this point
-- nobody knows yet who it is.
CREATE TABLE sign_in_try (
    tenant TEXT NOT NULL,
    -- SHA-256 of what is counted, hex.
    subject TEXT NOT NULL,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    -- The next try is looked at from then on.
    free_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON person_link, session, recovery_code, sign_in_try TO millrace_app;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['person_link', 'session', 'recovery_code', 'sign_in_try']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app
            USING (tenant = (SELECT current_setting(''millrace.tenant'', true)))', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;

-- A person may be limited to several merchants: the setting then holds their ids, separated by commas. A plain comparison
-- comes first, because it is the usual case and the cheap one.
DO $$
DECLARE
    name text;
    of_tenant constant text := 'tenant = (SELECT current_setting(''millrace.tenant'', true))';
    of_merchant constant text := '(merchant = (SELECT current_setting(''millrace.merchant'', true))'
        ' OR (SELECT current_setting(''millrace.merchant'', true)) = ''*'''
        ' OR merchant = ANY ((SELECT string_to_array(current_setting(''millrace.merchant'', true), '',''))::text[]))';
BEGIN
    FOR name IN SELECT tablename FROM pg_policies
        WHERE schemaname = current_schema() AND policyname = 'own' AND qual LIKE '%millrace.merchant%'
            AND tablename <> 'event'
    LOOP
        EXECUTE format('ALTER POLICY own ON %I USING (%s AND %s)', name, of_tenant, of_merchant);
    END LOOP;
    EXECUTE format('ALTER POLICY own ON event USING (%s AND (merchant = '''' OR %s))', of_tenant, of_merchant);
END $$;

-- Who signs in is not known before it is found out: these look across tenants, and tell no more than where to look.
GRANT SELECT ON person, person_link, session TO millrace_system;
CREATE POLICY narrow ON person FOR SELECT TO millrace_system USING (true);
CREATE POLICY narrow ON person_link FOR SELECT TO millrace_system USING (true);
CREATE POLICY narrow ON session FOR SELECT TO millrace_system USING (true);
CREATE FUNCTION person_by_email(wanted text) RETURNS TABLE (tenant text, id text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT p.tenant, p.id FROM person p WHERE p.email = wanted ORDER BY p.created_at, p.id LIMIT 1
$$;
CREATE FUNCTION link_by_hash(wanted text) RETURNS TABLE (tenant text, id text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT l.tenant, l.id FROM person_link l WHERE l.hash = wanted
$$;
CREATE FUNCTION session_by_hash(wanted text) RETURNS TABLE (tenant text, id text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT s.tenant, s.id FROM session s WHERE s.hash = wanted
$$;
CREATE FUNCTION number_of_people() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT count(*) FROM person
$$;
DO $$
DECLARE
    name text;
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO millrace_system', current_schema());
    FOREACH name IN ARRAY ARRAY['person_by_email(text)', 'link_by_hash(text)', 'session_by_hash(text)', 'number_of_people()']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO millrace_app', name);
        EXECUTE format('ALTER FUNCTION %s OWNER TO millrace_system', name);
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM millrace_system', current_schema());
END $$;
