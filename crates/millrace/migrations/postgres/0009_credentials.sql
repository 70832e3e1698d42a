-- Credentials that somebody else enters, and access that is granted at Brightpearl.

-- What a link of the kind hand_off asks its holder for; token, end and withdrawal are the link's.
CREATE TABLE hand_off (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    -- Id of its link.
    id TEXT NOT NULL,
    -- The store whose credentials they are; NULL until saving makes it. It may be removed later: then this tells what was.
    store TEXT,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    -- Plain settings that are settled, of a store that is not there yet: a JSON object of texts.
    settings TEXT NOT NULL,
    -- The fields that are asked for: a JSON list of names.
    fields TEXT NOT NULL,
    -- Who asks, as the holder is told.
    asked_by TEXT NOT NULL,
    opened_at BIGINT,
    tests BIGINT NOT NULL,
    tested_at BIGINT,
    -- Whether the last test reached the account.
    worked BIGINT,
    PRIMARY KEY (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant),
    FOREIGN KEY (tenant, id) REFERENCES person_link (tenant, id)
);

-- Consents that were begun at Brightpearl and have not come back, or have.
CREATE TABLE oauth_flow (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    -- SHA-256 of the state, hex: the state itself is not kept.
    hash TEXT NOT NULL,
    store TEXT NOT NULL,
    -- The session that began it: no other may end it.
    session TEXT NOT NULL,
    -- Where Brightpearl sends the browser back to, exactly.
    redirect_uri TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant, merchant, hash),
    FOREIGN KEY (tenant, merchant, store) REFERENCES store (tenant, merchant, id)
);

-- What was granted. The tokens are rows of `secret`, under the store's id with `oauth:` before it.
CREATE TABLE oauth_grant (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    store TEXT NOT NULL,
    -- Grows with every pair of tokens.
    version BIGINT NOT NULL,
    api_domain TEXT NOT NULL,
    -- Id of the app's installation at the account; empty where none was told.
    instance TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    -- When the access token ends.
    expires_at BIGINT NOT NULL,
    -- One refresh at a time, over all nodes: until then it is somebody's turn.
    turn_until BIGINT,
    -- Refreshes of this version whose answer was lost.
    unanswered BIGINT NOT NULL,
    -- Why it cannot be used any more.
    lost TEXT,
    PRIMARY KEY (tenant, merchant, store),
    FOREIGN KEY (tenant, merchant, store) REFERENCES store (tenant, merchant, id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON hand_off, oauth_flow, oauth_grant TO millrace_app;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['hand_off', 'oauth_flow', 'oauth_grant']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app
            USING (tenant = (SELECT current_setting(''millrace.tenant'', true))
                AND (merchant = (SELECT current_setting(''millrace.merchant'', true))
                    OR (SELECT current_setting(''millrace.merchant'', true)) = ''*''
                    OR merchant = ANY ((SELECT string_to_array(current_setting(''millrace.merchant'', true), '',''))::text[])))',
            name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;
