-- Epochs of the log (PROTOCOL §2.8): after a restore the operator opens the next one. Run as plumb_owner.

-- One row = one epoch: a log of its own, whose entries stand behind all earlier ones.
CREATE TABLE journal.epoch (
    epoch     int PRIMARY KEY CHECK (epoch >= 1),
    -- entries of all earlier epochs: position in the whole log = base + idx
    base      bigint NOT NULL CHECK (base >= 0),
    -- the epoch before this one as the database still holds it, and its last checkpoint, signed when this one was opened
    kept_epoch int,
    kept_size bigint,
    kept_root bytea CHECK (octet_length(kept_root) = 32),
    closing   text,
    -- the newest head that was known to have been signed, which the first entry commits to
    signed_epoch int,
    signed_size bigint,
    signed_root bytea CHECK (octet_length(signed_root) = 32),
    because   text,
    CHECK (num_nulls(kept_epoch, kept_size, kept_root, closing, signed_epoch, signed_size, signed_root, because)
           = CASE WHEN epoch = 1 THEN 8 ELSE 0 END)
);
INSERT INTO journal.epoch (epoch, base) SELECT epoch, 0 FROM journal.head;

GRANT SELECT ON journal.epoch TO plumb_gateway, plumb_projector, plumb_worker, plumb_web;

CREATE TRIGGER epoch_rows BEFORE UPDATE OR DELETE ON journal.epoch FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER epoch_truncate BEFORE TRUNCATE ON journal.epoch FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();

-- The head grows, or begins a later epoch at size 0. The gateway has no right to the column epoch.
CREATE OR REPLACE FUNCTION journal.head_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NEW.origin <> OLD.origin OR NEW.last_time < OLD.last_time
       OR NOT ((NEW.epoch = OLD.epoch AND NEW.size > OLD.size) OR (NEW.epoch > OLD.epoch AND NEW.size = 0)) THEN
        RAISE EXCEPTION 'the head only grows' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
