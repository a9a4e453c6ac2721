-- A wrong step of the clock is lifted (PROTOCOL §2.3, docs/decisions/0031). Run as plumb_owner.

-- A confirmation is one for every process of the host on which it was made: in its time since boot, which no step changes. Confirmations
-- are in the order of their numbers, for the times of some may be those of a wrong clock.
ALTER TABLE ops.clock_confirmed
    ADD COLUMN number     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN boot       text,
    ADD COLUMN since_boot double precision;

-- The head grows, or begins a later epoch at size 0. Its time steps back at one entry only: one that says so of itself and of the entry
-- before it, and whose leaf is there already. Whose entry it is and who signed it is for the audit.
CREATE OR REPLACE FUNCTION journal.head_only_grows() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$ BEGIN
    IF NEW.origin <> OLD.origin
       OR NOT ((NEW.epoch = OLD.epoch AND NEW.size > OLD.size) OR (NEW.epoch > OLD.epoch AND NEW.size = 0)) THEN
        RAISE EXCEPTION 'the head only grows' USING ERRCODE = '42501';
    END IF;
    IF NEW.last_time < OLD.last_time AND NOT EXISTS (
        SELECT 1 FROM journal.leaf l JOIN journal.entry e ON e.uid = l.uid AND e.sender_id = l.sender_id,
               LATERAL (SELECT convert_from(e.message, 'UTF8')::jsonb AS told) m
         WHERE NEW.epoch = OLD.epoch AND NEW.size = OLD.size + 1 AND l.epoch = NEW.epoch AND l.idx = OLD.size
           AND l.logged_at = NEW.last_time AND m.told->>'kind' = 'clock.corrected'
           AND (m.told->>'position')::bigint = (NEW.epoch - 1) * (1::bigint << 40) + OLD.size
           AND (m.told->>'last_wrong')::timestamptz = OLD.last_time
           AND (m.told->>'corrected_to')::timestamptz = NEW.last_time) THEN
        RAISE EXCEPTION 'the time of the log goes back only at a correction' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
