-- Epochs of the log (PROTOCOL §2.8, docs/decisions/0012): after a restore the operator opens the next one. Run as plumb_owner.

-- One row = one epoch: a tree of its own, whose entries stand behind those of all earlier ones.
CREATE TABLE journal.epoch (
    epoch      int PRIMARY KEY CHECK (epoch BETWEEN 1 AND 8192),
    -- where the epoch before it ended, and the checkpoint that vouches for that, under a name of its own
    kept_epoch int,
    kept_size  bigint,
    kept_root  bytea CHECK (octet_length(kept_root) = 32),
    closing    text,
    -- [{epoch, size, root}]: the newest heads that were known to have been signed, which the first entry repeats
    signed     jsonb,
    lost       bigint,
    because    text,
    CHECK (num_nulls(kept_epoch, kept_size, kept_root, closing, signed, lost, because) = CASE WHEN epoch = 1 THEN 7 ELSE 0 END)
);
INSERT INTO journal.epoch (epoch) SELECT epoch FROM journal.head;

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
