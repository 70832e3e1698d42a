-- Signing in at an identity provider (OpenID Connect), and what takes two people.

-- Who somebody is there. Linked once, the provider's own name for the person counts, and no e-mail address any more.
CREATE TABLE person_identity (
    tenant TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, issuer, subject),
    UNIQUE (tenant, person, issuer),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id)
);
CREATE INDEX person_identity_by_subject ON person_identity (issuer, subject, linked_at);

-- Sign-ins on their way there and back. They belong to the installation: at this point nobody knows yet who it is.
CREATE TABLE provider_flow (
    tenant TEXT NOT NULL,
    -- SHA-256 of the state, hex.
    hash TEXT NOT NULL,
    -- SHA-256 of what the browser that began it holds, hex: no other may end it.
    browser TEXT NOT NULL UNIQUE,
    -- The tenant that was named; NULL: the first that knows the person.
    wanted TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When the browser came back.
    used_at BIGINT,
    -- Who came back and still has to give the code of a second factor.
    person_tenant TEXT,
    person TEXT,
    -- When the provider asked that person who they are.
    asked_at BIGINT,
    PRIMARY KEY (tenant, hash)
);

-- Credentials of warehouses are handed off as well: `store` or `warehouse`.
ALTER TABLE hand_off ADD COLUMN side TEXT NOT NULL DEFAULT 'store';
ALTER TABLE hand_off RENAME COLUMN store TO endpoint;

-- Yeses to stock of a connection that two people approve: the second person's decides.
CREATE TABLE stock_assent (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    run TEXT NOT NULL,
    -- The SKUs of the lines, one a line; empty: the run itself.
    what TEXT NOT NULL,
    person TEXT NOT NULL,
    -- The same person as the audit trail names them.
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, run, what, person),
    FOREIGN KEY (tenant, merchant, run) REFERENCES stock_run (tenant, merchant, id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON person_identity, provider_flow, stock_assent TO millrace_app;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['person_identity', 'provider_flow']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app
            USING (tenant = (SELECT current_setting(''millrace.tenant'', true)))', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;
CREATE POLICY own ON stock_assent TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE stock_assent ENABLE ROW LEVEL SECURITY;
ALTER TABLE stock_assent FORCE ROW LEVEL SECURITY;

-- Whose tenant somebody belongs to whom the provider names is not known before it is found out.
GRANT SELECT ON person_identity TO millrace_system;
CREATE POLICY narrow ON person_identity FOR SELECT TO millrace_system USING (true);
CREATE FUNCTION person_by_identity(in_issuer text, wanted text) RETURNS TABLE (tenant text, id text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT i.tenant, i.person FROM person_identity i WHERE i.issuer = in_issuer AND i.subject = wanted
        AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.tenant = i.tenant AND t.disabled_at IS NOT NULL)
    ORDER BY i.linked_at, i.person LIMIT 1
$$;
DO $$
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO millrace_system', current_schema());
    EXECUTE format('ALTER FUNCTION person_by_identity(text, text) SET search_path = %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION person_by_identity(text, text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION person_by_identity(text, text) TO millrace_app;
    ALTER FUNCTION person_by_identity(text, text) OWNER TO millrace_system;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM millrace_system', current_schema());
END $$;
