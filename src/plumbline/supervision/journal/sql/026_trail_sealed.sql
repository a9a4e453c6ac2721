-- The audit trail is bound to the log (审计记录封存): what was sealed, by event, and the root that the log holds. The rows are no
-- evidence, the entry is; they only say which event is not as it was. Run as plumb_owner.
CREATE TABLE ops.trail_seal (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid     uuid NOT NULL,
    at      timestamptz NOT NULL,
    -- The same by the clock of the log, which in a demo is not the host's.
    occurred_at timestamptz NOT NULL,
    events  bigint NOT NULL,
    first   bigint NOT NULL,
    last    bigint NOT NULL,
    root    bytea NOT NULL,
    -- Hashed with every event: a root is public, and what one event says could be guessed.
    nonce   bytea NOT NULL,
    -- For the page of the trail; whether it is in the log, the log says.
    entered_at timestamptz,
    CONSTRAINT trail_seal_time CHECK (at > '1900-01-01+00' AND at < '9000-01-01+00' AND occurred_at > '1900-01-01+00' AND occurred_at < '9000-01-01+00')
);
CREATE UNIQUE INDEX trail_seal_by_uid ON ops.trail_seal (uid);
CREATE INDEX trail_seal_to_enter ON ops.trail_seal (number) WHERE entered_at IS NULL;
CREATE INDEX trail_seal_by_time ON ops.trail_seal (at);
CREATE TABLE ops.trail_sealed (
    id    bigint PRIMARY KEY,
    seal  bigint NOT NULL REFERENCES ops.trail_seal ON DELETE CASCADE,
    hash  bytea NOT NULL
);
CREATE INDEX trail_sealed_of_seal ON ops.trail_sealed (seal, id);

-- A seal that cannot be entered is made anew: nothing was signed for it.
GRANT SELECT, INSERT, DELETE ON ops.trail_seal, ops.trail_sealed TO plumb_worker;
GRANT UPDATE (entered_at) ON ops.trail_seal TO plumb_worker;
-- The page of the trail says how far it is sealed; the audit reads as the gateway, which reads the journal too.
GRANT SELECT ON ops.trail_seal, ops.trail_sealed TO plumb_web, plumb_gateway;

-- Number and time of an event are the database's alone: whoever chose them could put one where nobody looks.
REVOKE INSERT ON ops.audit_event FROM plumb_gateway, plumb_web, plumb_worker;
GRANT INSERT (actor, action, subject, outcome, request, detail) ON ops.audit_event TO plumb_gateway, plumb_web, plumb_worker;
-- What no clock shows and no number holds would stop whoever seals it. Old rows are not looked through.
ALTER TABLE ops.audit_event
    ADD CONSTRAINT audit_event_time CHECK (at > '1900-01-01+00' AND at < '9000-01-01+00') NOT VALID,
    ADD CONSTRAINT audit_event_number CHECK (id BETWEEN 1 AND 9007199254740991) NOT VALID;
