-- The audit trail is bound to the log (审计记录封存): what was sealed, by event, and the entry that holds the root. The hashes are no
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
    root    bytea NOT NULL
);
CREATE UNIQUE INDEX trail_seal_by_uid ON ops.trail_seal (uid);
CREATE TABLE ops.trail_sealed (
    id    bigint PRIMARY KEY,
    seal  bigint NOT NULL REFERENCES ops.trail_seal,
    hash  bytea NOT NULL
);
CREATE INDEX trail_sealed_of_seal ON ops.trail_sealed (seal, id);

GRANT SELECT, INSERT ON ops.trail_seal, ops.trail_sealed TO plumb_worker;
-- The page of the trail says how far it is sealed; the audit reads as the gateway, which reads the journal too.
GRANT SELECT ON ops.trail_seal, ops.trail_sealed TO plumb_web, plumb_gateway;
