-- Telling the outside: webhooks and alert channels, what is delivered to them, and issues that people are told of.

-- Where something is told. `merchant` is empty for one of the whole tenant.
CREATE TABLE outlet (
    tenant TEXT NOT NULL REFERENCES tenant (tenant),
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- `webhook`, `chat`, `email`.
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- A webhook's address, a chat's host (its whole address is a secret), an e-mail's receivers.
    address TEXT NOT NULL,
    -- Kinds of events it wants, JSON.
    events TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    -- Why the program switched it off.
    disabled_why TEXT,
    -- Nothing was taken since then.
    failing_since BIGINT,
    -- Number of the last event it was given.
    cursor BIGINT NOT NULL,
    -- When alerts were last told here.
    spoke_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, name)
);

-- Sealed like those of stores and warehouses; apart from them, because an outlet may belong to no merchant.
CREATE TABLE outlet_secret (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    outlet TEXT NOT NULL,
    -- `signing`, `signing_before` (valid until a time), `address`.
    field TEXT NOT NULL,
    version BIGINT NOT NULL,
    key_version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    valid_until BIGINT,
    PRIMARY KEY (tenant, merchant, outlet, field),
    FOREIGN KEY (tenant, merchant, outlet) REFERENCES outlet (tenant, merchant, id),
    FOREIGN KEY (tenant, key_version) REFERENCES data_key (tenant, version)
);

-- One message to one outlet.
CREATE TABLE delivery (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    -- Also the message's id for the receiver: the same with each try.
    id TEXT NOT NULL,
    outlet TEXT NOT NULL,
    -- Number of the event it tells of; NULL for tests and alerts.
    event BIGINT,
    -- `order`, `shipment`, …, `alert`, `test`.
    kind TEXT NOT NULL,
    -- JSON, as it is sent.
    body TEXT NOT NULL,
    -- `waiting`, `delivered`, `failed`.
    state TEXT NOT NULL,
    -- Since it was last made to wait anew.
    tries BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, outlet, event),
    FOREIGN KEY (tenant, merchant, outlet) REFERENCES outlet (tenant, merchant, id)
);
CREATE INDEX delivery_due ON delivery (tenant, next_at, id) WHERE state = 'waiting';
CREATE INDEX delivery_by_outlet ON delivery (tenant, merchant, outlet, id);
CREATE INDEX delivery_ended ON delivery (tenant, ended_at) WHERE state <> 'waiting';

CREATE TABLE delivery_attempt (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    delivery TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    -- HTTP status; NULL where no answer came.
    status BIGINT,
    -- Its beginning.
    answer TEXT NOT NULL,
    -- What failed; NULL where it was taken.
    problem TEXT,
    PRIMARY KEY (tenant, merchant, delivery, number),
    FOREIGN KEY (tenant, merchant, delivery) REFERENCES delivery (tenant, merchant, id)
);

-- Who is told what. The one named `default` is made when it is first changed.
CREATE TABLE alert_policy (
    tenant TEXT NOT NULL REFERENCES tenant (tenant),
    -- Only this merchant's issues; empty: everybody's.
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    -- JSON.
    settings TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, name)
);

CREATE TABLE alert_issue (
    tenant TEXT NOT NULL REFERENCES tenant (tenant),
    -- Empty where it concerns the whole tenant or the installation.
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Empty where it is no connection's.
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    what TEXT NOT NULL,
    count BIGINT NOT NULL,
    -- Ids of some that show it, JSON.
    subjects TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    gone_since BIGINT,
    closed_at BIGINT,
    acknowledged_at BIGINT,
    acknowledged_by TEXT,
    snoozed_until BIGINT,
    PRIMARY KEY (tenant, merchant, id)
);
CREATE UNIQUE INDEX alert_issue_open ON alert_issue (tenant, merchant, connection, kind, cause) WHERE closed_at IS NULL;
CREATE INDEX alert_issue_closed ON alert_issue (tenant, closed_at) WHERE closed_at IS NOT NULL;

-- What was said of an issue, and where.
CREATE TABLE alert_said (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    issue TEXT NOT NULL,
    outlet TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- 1: it was said to be closed.
    closed BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, issue, outlet),
    FOREIGN KEY (tenant, merchant, issue) REFERENCES alert_issue (tenant, merchant, id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON outlet, outlet_secret, delivery, delivery_attempt, alert_policy, alert_issue, alert_said
    TO millrace_app;
CREATE POLICY own ON outlet TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE outlet ENABLE ROW LEVEL SECURITY;
ALTER TABLE outlet FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON outlet_secret TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE outlet_secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE outlet_secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON delivery TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON delivery_attempt TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE delivery_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alert_policy TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE alert_policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_policy FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alert_issue TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE alert_issue ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_issue FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alert_said TO millrace_app
    USING (tenant = (SELECT current_setting('millrace.tenant', true))
        AND (merchant = (SELECT current_setting('millrace.merchant', true))
            OR (SELECT current_setting('millrace.merchant', true)) = '*'
            OR merchant = ANY ((SELECT string_to_array(current_setting('millrace.merchant', true), ','))::text[])));
ALTER TABLE alert_said ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_said FORCE ROW LEVEL SECURITY;
