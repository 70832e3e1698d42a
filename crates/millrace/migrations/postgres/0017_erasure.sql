-- Erasing people from what is finished: docs/personal-data.md.

-- A payload is frozen (R9), and its hash says which one it was. Once nothing of it can be sent again, the payload itself may go; the hash,
-- the key and what became of it stay. What is gone never goes again: a new revision has a payload.
CREATE OR REPLACE FUNCTION effect_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
        OR (NEW.revision = OLD.revision AND NEW.body_sha256 <> OLD.body_sha256)
        OR (NEW.revision = OLD.revision AND NEW.body <> OLD.body
            AND NOT (NEW.body = '{"erased":true}' AND NEW.state = OLD.state
                AND OLD.state IN ('applied', 'superseded', 'refused', 'voided')))
        OR (NEW.revision <> OLD.revision
            AND NOT (NEW.revision = OLD.revision + 1 AND NEW.state = 'planned' AND OLD.state IN ('refused', 'voided')))
        OR (NEW.revision <> OLD.revision AND NEW.body = '{"erased":true}')
    THEN
        RAISE EXCEPTION
            'the payload of an effect is frozen; a new revision begins planned, from refused or voided (R9)';
    END IF;
    RETURN NEW;
END $$;
