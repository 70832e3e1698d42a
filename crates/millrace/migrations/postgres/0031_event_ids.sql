-- Outside an event is called by an id that tells nothing of the others; its number counts what everybody does, and stays inside.

ALTER TABLE event ADD COLUMN id TEXT;
ALTER TABLE delivery ADD COLUMN event_id TEXT;
ALTER TABLE event NO FORCE ROW LEVEL SECURITY;
ALTER TABLE delivery NO FORCE ROW LEVEL SECURITY;
-- The time that every id begins with, then chance. What was done to a merchant from without is told of it alone, and no more of the
-- tenant's others.
UPDATE event SET merchant = CASE WHEN what = 'merchant' THEN subject ELSE merchant END, id = 'evt_' ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 45) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 40) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 35) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 30) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 25) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 20) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 15) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 10) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST((at >> 5) & 31 AS INTEGER) + 1, 1) ||
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST(at & 31 AS INTEGER) + 1, 1) ||
    upper(substr(replace(CAST(gen_random_uuid() AS TEXT), '-', ''), 17));
ALTER TABLE event ALTER COLUMN id SET NOT NULL;
CREATE UNIQUE INDEX event_by_id ON event (tenant, id);

-- A delivery keeps the id of the event it tells of; NULL for tests and alerts.
UPDATE delivery SET event_id =
    (SELECT e.id FROM event AS e WHERE e.tenant IN (delivery.tenant, 'installation') AND e.number = delivery.event)
WHERE event IS NOT NULL;
-- A message can go again at any time, and then says what the others say.
UPDATE delivery SET body = replace(body, '"number":' || CAST(event AS TEXT) || ',', '"id":"' || event_id || '",')
WHERE event_id IS NOT NULL;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
ALTER TABLE delivery FORCE ROW LEVEL SECURITY;
