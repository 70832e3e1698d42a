-- Settings that people change together: connections that are put away, and drafts of the wizard.

-- When it was put away; its orders, effects and shipments stay. NULL: it is in use.
ALTER TABLE connection ADD COLUMN archived_at BIGINT;

-- A wizard that was begun: what was entered so far, for whoever began it.
CREATE TABLE draft (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- The person (per_...), or how the audit trail names a key.
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    -- A JSON object that only the wizard understands.
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant) REFERENCES tenant (tenant)
);
CREATE INDEX draft_by_owner ON draft (tenant, owner, id);

-- Its secrets, sealed like those of stores and warehouses.
CREATE TABLE draft_secret (
    tenant TEXT NOT NULL,
    draft TEXT NOT NULL,
    field TEXT NOT NULL,
    version BIGINT NOT NULL,
    key_version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant, draft, field),
    FOREIGN KEY (tenant, draft) REFERENCES draft (tenant, id),
    FOREIGN KEY (tenant, key_version) REFERENCES data_key (tenant, version)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON draft, draft_secret TO millrace_app;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['draft', 'draft_secret']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app
            USING (tenant = (SELECT current_setting(''millrace.tenant'', true)))', name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;
