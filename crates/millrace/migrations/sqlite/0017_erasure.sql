-- Erasing people from what is finished: docs/personal-data.md.

-- A payload is frozen (R9), and its hash says which one it was. Once nothing of it can be sent again, the payload itself may go; the hash,
-- the key and what became of it stay. What is gone never goes again: a new revision has a payload.
DROP TRIGGER effect_frozen;
CREATE TRIGGER effect_frozen BEFORE UPDATE OF body, body_sha256, revision, kind, key ON effect
WHEN NEW.kind <> OLD.kind OR NEW.key <> OLD.key
    OR (NEW.revision = OLD.revision AND NEW.body_sha256 <> OLD.body_sha256)
    OR (NEW.revision = OLD.revision AND NEW.body <> OLD.body
        AND NOT (NEW.body = '{"erased":true}' AND NEW.state = OLD.state
            AND OLD.state IN ('applied', 'superseded', 'refused', 'voided')))
    OR (NEW.revision <> OLD.revision
        AND NOT (NEW.revision = OLD.revision + 1 AND NEW.state = 'planned' AND OLD.state IN ('refused', 'voided')))
    OR (NEW.revision <> OLD.revision AND NEW.body = '{"erased":true}')
BEGIN
    SELECT RAISE(ABORT, 'the payload of an effect is frozen; a new revision begins planned, from refused or voided (R9)');
END;
