-- Columns are TEXT, BIGINT and BYTEA only. Times are milliseconds UTC, quantities decimals as text, documents JSON as text or
-- compressed, booleans 0 and 1. Rows of a merchant carry tenant and merchant in every primary, unique and foreign key.
-- The same tables as the SQLite migration of this number; below them roles and row-level security.

-- One row: this installation.
CREATE TABLE installation (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    fingerprint TEXT NOT NULL,
    -- 1: nothing is sent to any remote system, e.g. after a restore.
    frozen BIGINT NOT NULL,
    -- Number of the last event.
    events BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Which node spends the call budget of a remote account.
CREATE TABLE account_lease (
    account TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    lease_until BIGINT NOT NULL
);

CREATE TABLE tenant (
    tenant TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE merchant (
    tenant TEXT NOT NULL REFERENCES tenant (tenant),
    merchant TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant),
    UNIQUE (tenant, name)
);

-- A tenant's data keys, each wrapped by a key that lives outside the database.
CREATE TABLE data_key (
    tenant TEXT NOT NULL REFERENCES tenant (tenant),
    version BIGINT NOT NULL,
    -- Which outer key wraps it.
    wrapped_by TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, version)
);

CREATE TABLE store (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    -- The remote account's code, lower case.
    account TEXT NOT NULL,
    -- Plain settings: a JSON object of texts.
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, name),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant)
);

CREATE TABLE warehouse (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, name),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant)
);

-- Sealed settings of a store or warehouse.
CREATE TABLE secret (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    -- Id of the store or warehouse.
    object TEXT NOT NULL,
    field TEXT NOT NULL,
    -- Grows with every change; part of what the seal is bound to.
    version BIGINT NOT NULL,
    key_version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, object, field),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant),
    FOREIGN KEY (tenant, key_version) REFERENCES data_key (tenant, version)
);

CREATE TABLE connection (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    store TEXT NOT NULL,
    warehouse TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    -- Grows with every change of the connection, its store, its warehouse or its mappings.
    revision BIGINT NOT NULL,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, name),
    FOREIGN KEY (tenant, merchant, store) REFERENCES store (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, warehouse) REFERENCES warehouse (tenant, merchant, id)
);

CREATE TABLE channel (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    every_seconds BIGINT NOT NULL,
    cursor TEXT,
    wanted_at BIGINT,
    started_at BIGINT,
    succeeded_at BIGINT,
    problem TEXT,
    summary TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, kind),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- A side of a connection that nothing is sent to, e.g. because its credentials are refused.
CREATE TABLE pause (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    side TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, side),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- The source's SKU to the warehouse's.
CREATE TABLE listing (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    source_sku TEXT NOT NULL,
    warehouse_sku TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, source_sku),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

CREATE TABLE kit (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    source_sku TEXT NOT NULL,
    place BIGINT NOT NULL,
    warehouse_sku TEXT NOT NULL,
    units TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, source_sku, place),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- The source's shipping method to the warehouse's.
CREATE TABLE ship_method (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    source_method BIGINT NOT NULL,
    carrier TEXT NOT NULL,
    service TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, source_method),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- The warehouse's shipping method to the source's; an empty service stands for every service of the carrier.
CREATE TABLE source_method (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    carrier TEXT NOT NULL,
    service TEXT NOT NULL,
    source_method BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, carrier, service),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- The warehouse's facility to the source's warehouse.
CREATE TABLE location (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    facility TEXT NOT NULL,
    warehouse_id BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, facility),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

CREATE TABLE orders (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    account TEXT NOT NULL,
    -- The source's order id.
    order_id BIGINT NOT NULL,
    reference TEXT NOT NULL,
    ship_to TEXT NOT NULL,
    -- Lower case, for searching: reference, number and ship-to.
    search TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    imported_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    -- The source's mark of its last change.
    seen TEXT NOT NULL,
    disposition TEXT NOT NULL,
    disposition_reason TEXT NOT NULL,
    -- The source's document as it was planned from, compressed.
    document BYTEA NOT NULL,
    archived BIGINT NOT NULL,
    -- Held by a person: why.
    held_reason TEXT,
    -- What a person is needed for on the order itself.
    problem TEXT,
    -- Derived from facts in one place; kept for lists.
    state TEXT NOT NULL,
    state_reason TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, connection, order_id),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);
CREATE INDEX orders_by_state ON orders (tenant, merchant, connection, state, id);

-- Which connection ships how much of a row of the source's order. The one table that is checked across tenants.
CREATE TABLE claim (
    account TEXT NOT NULL,
    order_id BIGINT NOT NULL,
    row_id BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    quantity TEXT NOT NULL,
    PRIMARY KEY (account, order_id, row_id, tenant, merchant, connection),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

CREATE TABLE request (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    account TEXT NOT NULL,
    -- The hub's order.
    order_ref TEXT NOT NULL,
    -- The source's order id.
    order_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    note_id BIGINT,
    warehouse_id BIGINT,
    -- JSON.
    lines TEXT NOT NULL,
    -- 0: given up before anything was sent.
    live BIGINT NOT NULL,
    finished BIGINT NOT NULL,
    cancelled_by_warehouse BIGINT NOT NULL,
    cancel_wanted TEXT,
    problem TEXT,
    -- Nothing left to do: shipped or finished, and told to the source.
    done BIGINT NOT NULL,
    -- Something happened: its next step is to be decided.
    flagged BIGINT NOT NULL,
    flagged_at BIGINT NOT NULL,
    -- To be looked at again at this time even if nothing happens.
    look_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, connection, key),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, order_ref) REFERENCES orders (tenant, merchant, id)
);
CREATE INDEX request_by_order ON request (tenant, merchant, order_ref);
-- A goods-out note is the request of at most one connection.
CREATE UNIQUE INDEX request_note ON request (tenant, account, note_id) WHERE note_id IS NOT NULL AND live = 1;
CREATE INDEX request_flagged ON request (tenant, merchant, connection, flagged_at) WHERE flagged = 1;
CREATE INDEX request_look ON request (tenant, merchant, connection, look_at) WHERE look_at IS NOT NULL;
CREATE INDEX request_open ON request (tenant, merchant, connection, id) WHERE live = 1 AND done = 0;

CREATE TABLE shipment (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- NULL until a request with its key is known.
    request TEXT,
    order_ref TEXT,
    -- The warehouse's own id.
    reference TEXT NOT NULL,
    key TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    -- As reported, JSON.
    document TEXT NOT NULL,
    tracking TEXT NOT NULL,
    -- Lower case, for searching.
    search TEXT NOT NULL,
    shipped_at BIGINT NOT NULL,
    -- The source's rows it confirms, JSON; NULL until decided.
    note_rows TEXT,
    confirmed_at BIGINT,
    problem TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, connection, reference),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, request) REFERENCES request (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, order_ref) REFERENCES orders (tenant, merchant, id)
);
CREATE INDEX shipment_by_order ON shipment (tenant, merchant, order_ref);
CREATE INDEX shipment_unmatched ON shipment (tenant, merchant, connection, key) WHERE request IS NULL;
CREATE INDEX shipment_by_time ON shipment (tenant, merchant, connection, shipped_at);

CREATE TABLE effect (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    revision BIGINT NOT NULL,
    batch TEXT,
    lane TEXT NOT NULL,
    -- Frozen when planned (R9).
    body TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    unknowns BIGINT NOT NULL,
    negatives BIGINT NOT NULL,
    -- Grows with every claim and decision; a write with an older one does nothing.
    fence BIGINT NOT NULL,
    owner TEXT,
    lease_until BIGINT,
    armed_at BIGINT,
    baseline TEXT,
    remote_id TEXT,
    -- JSON.
    remote TEXT,
    note TEXT NOT NULL,
    -- The person who voided it: import does not plan it again by itself.
    voided_by TEXT,
    order_ref TEXT,
    request_ref TEXT,
    shipment_ref TEXT,
    product_id BIGINT,
    warehouse_id BIGINT,
    -- Smaller goes first.
    priority BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, connection, kind, key),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, order_ref) REFERENCES orders (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, request_ref) REFERENCES request (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, shipment_ref) REFERENCES shipment (tenant, merchant, id)
);
-- Single flight (R6).
CREATE UNIQUE INDEX effect_in_flight ON effect (tenant, lane) WHERE state IN ('armed', 'unknown', 'probing');
CREATE INDEX effect_lane ON effect (tenant, lane, id)
    WHERE state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed');
CREATE INDEX effect_due ON effect (tenant, merchant, connection, side, priority, id)
    WHERE state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed');
CREATE INDEX effect_batch ON effect (tenant, merchant, connection, batch)
    WHERE batch IS NOT NULL AND state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed');
CREATE INDEX effect_by_order ON effect (tenant, merchant, order_ref);
CREATE INDEX effect_by_product ON effect (tenant, merchant, connection, warehouse_id, product_id)
    WHERE product_id IS NOT NULL;
CREATE INDEX effect_by_state ON effect (tenant, merchant, connection, state, id);

-- The edges of the contract; `rule`: any, not_stock, status_only.
CREATE TABLE effect_edge (
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    rule TEXT NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO effect_edge (from_state, to_state, rule) VALUES
    ('planned', 'armed', 'any'),
    ('planned', 'voided', 'any'),
    ('not_sent', 'armed', 'any'),
    ('not_sent', 'voided', 'any'),
    ('armed', 'not_sent', 'any'),
    ('armed', 'applied', 'any'),
    ('armed', 'refused', 'any'),
    ('armed', 'unknown', 'any'),
    ('refused', 'planned', 'any'),
    ('refused', 'voided', 'any'),
    ('voided', 'planned', 'not_stock'),
    ('unknown', 'probing', 'any'),
    ('unknown', 'parked', 'any'),
    ('probing', 'unknown', 'any'),
    ('probing', 'applied', 'any'),
    ('probing', 'conflict', 'any'),
    ('probing', 'superseded', 'status_only'),
    ('probing', 'armed', 'not_stock'),
    ('probing', 'absent_confirmed', 'any'),
    ('probing', 'parked', 'any'),
    ('absent_confirmed', 'armed', 'not_stock'),
    ('absent_confirmed', 'voided', 'any'),
    ('conflict', 'parked', 'any'),
    ('parked', 'applied', 'any'),
    ('parked', 'voided', 'any'),
    ('parked', 'armed', 'any');

CREATE FUNCTION effect_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'planned' OR NEW.revision <> 1 THEN
            RAISE EXCEPTION 'an effect begins planned, at revision 1 (J3)';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT 1 FROM effect_edge
        WHERE from_state = OLD.state AND to_state = NEW.state
            AND (rule = 'any'
                OR (rule = 'not_stock' AND OLD.kind <> 'correct_stock')
                OR (rule = 'status_only' AND OLD.kind = 'set_status')))
    THEN
        RAISE EXCEPTION 'this edge is not permitted (J3)';
    END IF;
    IF NEW.kind <> OLD.kind OR NEW.key <> OLD.key
        OR (NEW.revision = OLD.revision AND (NEW.body <> OLD.body OR NEW.body_sha256 <> OLD.body_sha256))
        OR (NEW.revision <> OLD.revision
            AND NOT (NEW.revision = OLD.revision + 1 AND NEW.state = 'planned' AND OLD.state IN ('refused', 'voided')))
    THEN
        RAISE EXCEPTION
            'the payload of an effect is frozen; a new revision begins planned, from refused or voided (R9)';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER effect_guard BEFORE INSERT OR UPDATE ON effect FOR EACH ROW EXECUTE FUNCTION effect_guard();

-- What was done for an effect, one row for each claim or decision.
CREATE TABLE attempt (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    effect TEXT NOT NULL,
    fence BIGINT NOT NULL,
    connection TEXT NOT NULL,
    what TEXT NOT NULL,
    outcome TEXT NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    started_at BIGINT,
    took_ms BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    -- Request and answer, secrets removed, compressed JSON.
    capture BYTEA,
    PRIMARY KEY (tenant, merchant, effect, fence),
    FOREIGN KEY (tenant, merchant, effect) REFERENCES effect (tenant, merchant, id)
);

-- What came in from warehouses: files and pages, so that none is acted upon twice.
CREATE TABLE input (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    name TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    -- Compressed.
    content BYTEA NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, name, content_sha256),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- What a person should look at and that belongs to no order.
CREATE TABLE exception (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- `input`, `unknown_key`, `changed_shipment`, `stock_run`.
    kind TEXT NOT NULL,
    -- What tells repeats apart.
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    content BYTEA,
    at BIGINT NOT NULL,
    resolved_at BIGINT,
    resolved_by TEXT,
    PRIMARY KEY (tenant, merchant, id),
    UNIQUE (tenant, merchant, connection, kind, subject),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- Calls from the order source: hints.
CREATE TABLE inbox (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    event TEXT NOT NULL,
    raised_on TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    taken_at BIGINT,
    PRIMARY KEY (tenant, merchant, account, resource, resource_id, event, raised_on),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant)
);
CREATE INDEX inbox_waiting ON inbox (tenant, merchant, account, received_at) WHERE taken_at IS NULL;

-- Which connection writes the stock of a warehouse of the source. Unique across tenants.
CREATE TABLE stock_owner (
    account TEXT NOT NULL,
    warehouse_id BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account, warehouse_id),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

CREATE TABLE stock_run (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    feed TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    cut_off BIGINT NOT NULL,
    sequence BIGINT,
    made_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    skus BIGINT NOT NULL,
    compared BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    -- Compressed JSON.
    lines BYTEA NOT NULL,
    decided_by TEXT,
    decided_at BIGINT,
    PRIMARY KEY (tenant, merchant, id),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);
CREATE INDEX stock_run_by_cut_off ON stock_run (tenant, merchant, connection, cut_off, feed);
CREATE INDEX stock_run_by_content ON stock_run (tenant, merchant, connection, content_sha256);

-- The warehouse's latest figures.
CREATE TABLE stock_level (
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL,
    connection TEXT NOT NULL,
    sku TEXT NOT NULL,
    facility TEXT NOT NULL,
    available TEXT,
    physical TEXT,
    cut_off BIGINT NOT NULL,
    feed TEXT NOT NULL,
    PRIMARY KEY (tenant, merchant, connection, sku, facility),
    FOREIGN KEY (tenant, merchant, connection) REFERENCES connection (tenant, merchant, id)
);

-- What changed, for live pages and outgoing webhooks. `merchant` is empty for what concerns the tenant alone.
CREATE TABLE event (
    tenant TEXT NOT NULL,
    -- Unique in the installation; drawn from its counter.
    number BIGINT NOT NULL,
    merchant TEXT NOT NULL,
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    change TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
);

-- Append-only; each row's hash covers the one before. `tenant` is `installation` for what concerns no tenant.
CREATE TABLE audit (
    tenant TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
);

CREATE TABLE person (
    tenant TEXT NOT NULL REFERENCES tenant (tenant),
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    -- PHC text.
    password_hash TEXT,
    role TEXT NOT NULL,
    disabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, email)
);

-- The merchants a person may see; none: all of the tenant's.
CREATE TABLE person_merchant (
    tenant TEXT NOT NULL,
    person TEXT NOT NULL,
    merchant TEXT NOT NULL,
    PRIMARY KEY (tenant, person, merchant),
    FOREIGN KEY (tenant, person) REFERENCES person (tenant, id),
    FOREIGN KEY (tenant, merchant) REFERENCES merchant (tenant, merchant)
);

-- `tenant` is `installation` for keys of its administrators.
CREATE TABLE api_key (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- SHA-256 of the key, hex: the key itself is not kept.
    hash TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    -- Limited to one merchant, where set.
    merchant TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (tenant, id)
);

CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only added to (AU1)';
END $$;
CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_guard();

-- Roles. The program works as millrace_app, which owns nothing and bypasses nothing. millrace_system owns the few functions
-- that must see beyond one tenant, and is never logged in as. Roles belong to the whole server, so another database of it
-- may have made them already.
DO $$ BEGIN CREATE ROLE millrace_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE millrace_system NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'millrace_app', 'MEMBER') THEN
        EXECUTE format('GRANT millrace_app TO %I', current_user);
    END IF;
    IF NOT pg_has_role(current_user, 'millrace_system', 'MEMBER') THEN
        EXECUTE format('GRANT millrace_system TO %I', current_user);
    END IF;
END $$;
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO millrace_app, millrace_system', current_schema()); END $$;

GRANT SELECT ON effect_edge TO millrace_app;
GRANT SELECT, INSERT, UPDATE ON installation, account_lease TO millrace_app;
GRANT SELECT, INSERT ON event, audit TO millrace_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    tenant, merchant, data_key, store, warehouse, secret, connection, channel, pause, listing, kit, ship_method,
    source_method, location, orders, claim, request, shipment, effect, attempt, input, exception, inbox, stock_owner,
    stock_run, stock_level, person, person_merchant, api_key
    TO millrace_app;
GRANT DELETE ON event TO millrace_app;

-- Row-level security, forced: whoever comes in sees the rows of the tenant and merchant its transaction is set to, and
-- none when nothing is set. The merchant `*` stands for all of the tenant's.
DO $$
DECLARE
    name text;
    of_tenant constant text := 'tenant = (SELECT current_setting(''millrace.tenant'', true))';
    of_merchant constant text := '(merchant = (SELECT current_setting(''millrace.merchant'', true))'
        ' OR (SELECT current_setting(''millrace.merchant'', true)) = ''*'')';
    anybody constant text := 'coalesce((SELECT current_setting(''millrace.tenant'', true)), '''') <> ''''';
BEGIN
    FOREACH name IN ARRAY ARRAY['merchant', 'store', 'warehouse', 'secret', 'connection', 'channel', 'pause', 'listing',
        'kit', 'ship_method', 'source_method', 'location', 'orders', 'claim', 'request', 'shipment', 'effect', 'attempt',
        'input', 'exception', 'inbox', 'stock_owner', 'stock_run', 'stock_level', 'person_merchant']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app USING (%s AND %s)', name, of_tenant, of_merchant);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['tenant', 'data_key', 'audit', 'person', 'api_key']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app USING (%s)', name, of_tenant);
    END LOOP;
    EXECUTE format('CREATE POLICY own ON event TO millrace_app USING (%s AND (merchant = '''' OR %s))', of_tenant, of_merchant);
    FOREACH name IN ARRAY ARRAY['installation', 'account_lease', 'effect_edge']
    LOOP
        EXECUTE format('CREATE POLICY own ON %I TO millrace_app USING (%s)', name, anybody);
    END LOOP;
    FOR name IN SELECT tablename FROM pg_policies WHERE schemaname = current_schema()
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;

-- The functions that see beyond one tenant, each as narrow as its use.
GRANT SELECT ON tenant, store, connection, claim, stock_owner, api_key TO millrace_system;
CREATE POLICY narrow ON tenant FOR SELECT TO millrace_system USING (true);
CREATE POLICY narrow ON store FOR SELECT TO millrace_system USING (true);
CREATE POLICY narrow ON connection FOR SELECT TO millrace_system USING (true);
CREATE POLICY narrow ON claim FOR SELECT TO millrace_system USING (true);
CREATE POLICY narrow ON stock_owner FOR SELECT TO millrace_system USING (true);
CREATE POLICY narrow ON api_key FOR SELECT TO millrace_system USING (true);

CREATE FUNCTION all_tenants() RETURNS TABLE (tenant text, name text, created_at bigint)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT t.tenant, t.name, t.created_at FROM tenant t ORDER BY t.tenant
$$;

CREATE FUNCTION connections_to_run()
RETURNS TABLE (tenant text, merchant text, id text, revision bigint, account text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT c.tenant, c.merchant, c.id, c.revision, s.account
    FROM connection c JOIN store s ON s.tenant = c.tenant AND s.merchant = c.merchant AND s.id = c.store
    WHERE c.enabled = 1 ORDER BY c.tenant, c.merchant, c.id
$$;

CREATE FUNCTION api_key_by_hash(wanted text)
RETURNS TABLE (tenant text, id text, name text, role text, merchant text, created_at bigint, expires_at bigint,
    last_used_at bigint, revoked_at bigint)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT k.tenant, k.id, k.name, k.role, k.merchant, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
    FROM api_key k WHERE k.hash = wanted
$$;

-- What other connections have claimed of these orders, under a lock on each order until the transaction ends. A holder is
-- named only inside the caller's own tenant. `wanted` is a JSON array of the source's order ids.
CREATE FUNCTION claims_of_others(in_account text, wanted text, own_tenant text, own_connection text)
RETURNS TABLE (order_id bigint, row_id bigint, quantity text, holder text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
    one bigint;
BEGIN
    FOR one IN SELECT value::bigint FROM json_array_elements_text(wanted::json) ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended(in_account, one));
    END LOOP;
    RETURN QUERY
        SELECT c.order_id, c.row_id, c.quantity, n.name
        FROM claim c
        LEFT JOIN connection n
            ON n.tenant = c.tenant AND n.merchant = c.merchant AND n.id = c.connection AND c.tenant = own_tenant
        WHERE c.account = in_account
            AND c.order_id IN (SELECT value::bigint FROM json_array_elements_text(wanted::json))
            AND NOT (c.tenant = own_tenant AND c.connection = own_connection);
END $$;

CREATE FUNCTION stock_holder(in_account text, in_warehouse bigint)
RETURNS TABLE (tenant text, connection text, name text)
LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT o.tenant, o.connection, c.name FROM stock_owner o
    JOIN connection c ON c.tenant = o.tenant AND c.merchant = o.merchant AND c.id = o.connection
    WHERE o.account = in_account AND o.warehouse_id = in_warehouse
$$;

-- Statistics of the tables that a first import fills faster than autovacuum looks. Without them the planner takes tenant and
-- merchant together for a rare combination, and any index that begins with them for as good as the right one. It belongs to
-- the owner of the tables, who alone may do this.
CREATE FUNCTION learn_statistics() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    ANALYZE orders, claim, request, shipment, effect, attempt, event, listing, stock_level;
END $$;

-- A function of this kind must not follow the caller's search path.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['all_tenants()', 'connections_to_run()', 'api_key_by_hash(text)',
        'claims_of_others(text, text, text, text)', 'stock_holder(text, bigint)', 'learn_statistics()']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO millrace_app', name);
    END LOOP;
END $$;
-- Giving a function to another role needs that role to be able to create in the schema, for this moment only.
DO $$
DECLARE
    name text;
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO millrace_system', current_schema());
    FOREACH name IN ARRAY ARRAY['all_tenants()', 'connections_to_run()', 'api_key_by_hash(text)',
        'claims_of_others(text, text, text, text)', 'stock_holder(text, bigint)']
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO millrace_system', name);
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM millrace_system', current_schema());
END $$;
