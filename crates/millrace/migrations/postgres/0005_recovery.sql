-- What is needed when the journal is lost: docs/recovery.md.

-- One row: intents ever committed. The witness file beside the key follows it; a database that falls behind the file is an
-- older copy.
CREATE TABLE journal_clock (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    armed BIGINT NOT NULL
);
INSERT INTO journal_clock (one, armed) VALUES (1, 0);

-- One row: where the installation runs, why nothing is sent, and what was lost.
CREATE TABLE safety (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    -- JSON; NULL until it was started once.
    home TEXT,
    -- `restored`, `cloned`, `failed_over`, `person`; NULL while sending is allowed.
    frozen_kind TEXT,
    frozen_reason TEXT,
    frozen_at BIGINT,
    -- The window that the journal has forgotten, once a person has named it.
    lost_since BIGINT,
    lost_until BIGINT,
    recovered_by TEXT,
    recovered_at BIGINT,
    released_by TEXT,
    released_at BIGINT,
    backed_up_at BIGINT,
    -- Of the backup that this database was restored from.
    backup_at BIGINT
);
INSERT INTO safety (one) VALUES (1);

-- The part of a recovery that reads a connection's two sides again.
CREATE TABLE recovery_pass (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- `recovered_at` of the recovery it belongs to.
    recovery BIGINT NOT NULL,
    -- NULL until it ended well.
    done_at BIGINT,
    -- JSON: what it found.
    report TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- What a recovery makes of an effect. `open`: the lost journal may have sent it, nothing of it goes out before it was looked for.
-- Then what the look said: `confirmed`, `absent`, `conflict`, `cannot_ask`.
ALTER TABLE effect ADD COLUMN recovery TEXT;
CREATE INDEX effect_recovery ON effect (tenant, merchant, connection, recovery, id) WHERE recovery IS NOT NULL;

GRANT SELECT, UPDATE ON journal_clock, safety TO millrace_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_pass TO millrace_app;
CREATE POLICY own ON journal_clock TO millrace_app
    USING (coalesce((SELECT current_setting('millrace.tenant', true)), '') <> '');
CREATE POLICY own ON safety TO millrace_app
    USING (coalesce((SELECT current_setting('millrace.tenant', true)), '') <> '');
CREATE POLICY own ON recovery_pass TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'));
ALTER TABLE journal_clock ENABLE ROW LEVEL SECURITY;
ALTER TABLE journal_clock FORCE ROW LEVEL SECURITY;
ALTER TABLE safety ENABLE ROW LEVEL SECURITY;
ALTER TABLE safety FORCE ROW LEVEL SECURITY;
ALTER TABLE recovery_pass ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_pass FORCE ROW LEVEL SECURITY;

-- Which server answers. A service that hides one of these gives an empty text, which says nothing.
CREATE FUNCTION server_identity() RETURNS TABLE (system text, timeline text, database text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    system := '';
    timeline := '';
    BEGIN
        SELECT c.system_identifier::text INTO system FROM pg_control_system() AS c;
    EXCEPTION WHEN OTHERS THEN
        system := '';
    END;
    BEGIN
        timeline := substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
    EXCEPTION WHEN OTHERS THEN
        timeline := '';
    END;
    SELECT d.oid::text INTO database FROM pg_database AS d WHERE d.datname = current_database();
    RETURN NEXT;
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION server_identity() SET search_path = %I, pg_catalog, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION server_identity() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION server_identity() TO millrace_app;
END $$;
