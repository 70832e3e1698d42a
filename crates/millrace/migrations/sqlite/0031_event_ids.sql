-- Outside an event is called by an id that tells nothing of the others; its number counts what everybody does, and stays inside.

CREATE TABLE event_with_id (
    tenant TEXT NOT NULL,
    -- Unique in the installation; drawn from its counter. Nobody outside sees it.
    number BIGINT NOT NULL,
    id TEXT NOT NULL,
    merchant TEXT NOT NULL,
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    change TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
);
-- The time that every id begins with, then chance. What was done to a merchant from without is told of it alone, and no more of the
-- tenant's others.
INSERT INTO event_with_id (tenant, number, id, merchant, at, what, subject, change)
SELECT tenant, number, 'evt_' ||
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
    hex(randomblob(8)), CASE WHEN what = 'merchant' THEN subject ELSE merchant END, at, what, subject, change
FROM event;
DROP TABLE event;
ALTER TABLE event_with_id RENAME TO event;
CREATE UNIQUE INDEX event_by_id ON event (tenant, id);

-- The id of the event it tells of; NULL for tests and alerts.
ALTER TABLE delivery ADD COLUMN event_id TEXT;
UPDATE delivery SET event_id =
    (SELECT e.id FROM event AS e WHERE e.tenant IN (delivery.tenant, 'installation') AND e.number = delivery.event)
WHERE event IS NOT NULL;
-- A message can go again at any time, and then says what the others say.
UPDATE delivery SET body = replace(body, '"number":' || CAST(event AS TEXT) || ',', '"id":"' || event_id || '",')
WHERE event_id IS NOT NULL;
